"""What SAM makes of a template: a template on standard input, CloudFormation on standard output."""
import json
import logging
import sys

from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """Names of AWS's own managed policies, none of which the portal attaches."""

    def load(self):
        return {}


logging.disable(logging.WARNING)
template = transform(json.load(sys.stdin), {"AWS::Region": "us-east-1"}, NoManagedPolicies())
json.dump(template, sys.stdout)
