"""Reads exports with readers that nobody here wrote, and says what they found, as JSON.

Standard input: a list of {"name", "sources", "fhir", "html", "pdf"}, all but the name paths of files
or absent. Numbers are compared digit by digit, so none is ever parsed.
"""

import json
import re
import sys

import html5lib
import pypdf
from fhir.resources.R4B.bundle import Bundle

CLINICAL = {
    "AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "DiagnosticReport",
    "DocumentReference", "Encounter", "Immunization", "MedicationRequest", "Observation", "Procedure",
}
DIRECTORY = {"Practitioner", "Organization", "Location"}
KEPT = CLINICAL | DIRECTORY | {"Patient", "Medication"}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file, parse_float=str, parse_int=str)


def is_ssn(identifier):
    codes = [coding.get("code") for coding in identifier.get("type", {}).get("coding", [])]
    return identifier.get("system", "").endswith("/us-ssn") or "SS" in codes


class Source:
    """Files as the practice sent them."""

    def __init__(self, paths):
        self.resources, self.by_url, self.by_identifier = {}, {}, {}
        for path in paths:
            for entry in load(path)["entry"]:
                resource = entry["resource"]
                if resource["resourceType"] not in KEPT:
                    continue
                key = (resource["resourceType"], resource["id"])
                self.resources[key] = resource
                self.by_url[entry.get("fullUrl")] = key
                for identifier in resource.get("identifier", []):
                    name = f"{identifier.get('system')}|{identifier.get('value')}"
                    self.by_identifier[resource["resourceType"], name] = key

    def target(self, reference):
        """What a reference means, if that is among what the portal keeps."""
        if "?identifier=" in reference:
            kind, identifier = reference.split("?identifier=")
            return self.by_identifier.get((kind, identifier))
        key = tuple(reference.split("/")[-2:])
        return self.by_url.get(reference) or (key if key in self.resources else None)


def compare(path, sent, got, source, urls, problems):
    """Equal, but for social security numbers and for how a reference says what it means."""
    if isinstance(sent, dict) and isinstance(got, dict):
        names = set(sent) | set(got)
        for name in sorted(names):
            left, right = sent.get(name), got.get(name)
            if name == "reference" and isinstance(left, str) and not left.startswith("#"):
                means = source.target(left)
                if means and (means[0] not in DIRECTORY or right in urls):
                    if urls.get(right) != means:
                        problems.append(f"{path}: {left} leads to {right}")
                elif right != left and urls.get(right) is None:
                    problems.append(f"{path}: {left} became {right}")
                elif means and right not in urls:
                    problems.append(f"{path}: {left} leads nowhere")
            else:
                if name == "identifier" and isinstance(left, list):
                    left = [one for one in left if not is_ssn(one)]
                compare(f"{path}.{name}", left, right, source, urls, problems)
    elif isinstance(sent, list) and isinstance(got, list) and len(sent) == len(got):
        for index, (left, right) in enumerate(zip(sent, got)):
            compare(f"{path}[{index}]", left, right, source, urls, problems)
    elif sent != got:
        problems.append(f"{path} differs")


def fhir(path, sources):
    bundle = load(path)
    with open(path, encoding="utf-8") as file:
        Bundle.model_validate_json(file.read())
    problems = []
    urls, resources = {}, {}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        key = (resource["resourceType"], resource["id"])
        if entry["fullUrl"] in urls or key in resources:
            problems.append(f"{key} is there twice")
        urls[entry["fullUrl"]] = key
        resources[key] = resource
    if sources:
        source = Source(sources)
        # A directory that came for itself lists more than this patient's record refers to.
        sent = {key for key in source.resources if key[0] in CLINICAL}
        got = {key for key in resources if key[0] in CLINICAL}
        problems += [f"{key} is lost" for key in sorted(sent - got)]
        problems += [f"{key} is invented" for key in sorted(got - sent)]
        for key, resource in resources.items():
            if key not in source.resources:
                problems.append(f"{key} is from nowhere")
                continue
            compare("/".join(key), source.resources[key], resource, source, urls, problems)
    kinds = {}
    for kind, _ in resources:
        kinds[kind] = kinds.get(kind, 0) + 1
    return {"type": bundle["type"], "kinds": kinds, "problems": problems,
            "ssn": bool(re.search(r"us-ssn|\b\d{3}-\d{2}-\d{4}\b", json.dumps(bundle)))}


def html(path):
    with open(path, "rb") as file:
        text = file.read()
    parser = html5lib.HTMLParser(strict=False, namespaceHTMLElements=False)
    page = parser.parse(text)
    tags = [element.tag for element in page.iter() if isinstance(element.tag, str)]
    heads = page.findall(".//thead//th")
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    links = [link.get("href") for link in page.findall(".//a")]
    return {
        "errors": [code for _, code, _ in parser.errors],
        "lang": page.get("lang"),
        "title": page.findtext(".//title"),
        "headings": [tag for tag in tags if tag in ("h1", "h2", "h3")],
        "unscoped": sum(1 for head in page.findall(".//th") if not head.get("scope")),
        "heads": len(heads),
        "uncaptioned": sum(1 for table in page.findall(".//table")
                           if table.find("thead") is not None and table.find("caption") is None),
        "active": sorted(set(tags) & {"script", "iframe", "object", "embed", "form", "img", "link"}),
        "dangling": [link for link in links if link.lstrip("#") not in ids],
        "policy": [meta.get("content") for meta in page.findall(".//meta")
                   if meta.get("http-equiv") == "Content-Security-Policy"],
        "text": " ".join("".join(page.itertext()).split()),
    }


def pdf(path):
    reader = pypdf.PdfReader(path)
    root = reader.trailer["/Root"]
    tags, stack = {}, [root["/StructTreeRoot"]]
    while stack:
        node = stack.pop().get_object()
        if isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, dict):
            if "/S" in node and node.get("/Type", "/StructElem") == "/StructElem":
                tags[node["/S"]] = tags.get(node["/S"], 0) + 1
            if "/K" in node:
                stack.append(node["/K"])
    fonts = [page["/Resources"]["/Font"] for page in reader.pages]
    embedded = {name: font[name].get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
                .get_object() for font in fonts for name in font}
    return {
        "pages": len(reader.pages),
        "lang": root["/Lang"],
        "marked": bool(root["/MarkInfo"]["/Marked"]),
        "title": reader.metadata.title,
        "tags": tags,
        "outline": [one.title for one in reader.outline],
        "embedded": all({"/FontFile2", "/FontFile3"} & set(font) for font in embedded.values()),
        "text": " ".join(" ".join(page.extract_text().split()) for page in reader.pages),
    }


def main():
    found = []
    for export in json.load(sys.stdin):
        one = {"name": export["name"]}
        if export.get("fhir"):
            one["fhir"] = fhir(export["fhir"], export.get("sources"))
        if export.get("html"):
            one["html"] = html(export["html"])
        if export.get("pdf"):
            one["pdf"] = pdf(export["pdf"])
        found.append(one)
    json.dump(found, sys.stdout)


main()
