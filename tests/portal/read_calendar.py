"""Reads a calendar with a parser that nobody here wrote, and says what it found, as JSON.

Standard input: the file. What the parser has to excuse is an error.
"""

import json
import sys

from icalendar import Calendar

calendar = Calendar.from_ical(sys.stdin.buffer.read())
errors = list(calendar.errors)
events = []
for event in calendar.walk("VEVENT"):
    errors += event.errors
    events.append({
        "properties": sorted(event.keys()),
        "uid": str(event["UID"]),
        "sequence": int(event["SEQUENCE"]),
        "stamp": event.decoded("DTSTAMP").isoformat(),
        "start": event.decoded("DTSTART").isoformat(),
        "end": event.decoded("DTEND").isoformat(),
        "status": str(event["STATUS"]),
        "summary": str(event["SUMMARY"]),
        "transparent": str(event["TRANSP"]) == "TRANSPARENT",
    })
json.dump({
    "errors": [str(error) for error in errors],
    "version": str(calendar["VERSION"]),
    "method": str(calendar["METHOD"]),
    "name": str(calendar["NAME"]),
    "refresh": calendar["REFRESH-INTERVAL"].to_ical().decode(),
    "events": events,
}, sys.stdout)
