"""The document as schemathesis is to read it: in one spelling of each name. It would fill in both wherever it fills in one, and that
both have to agree is more than JSON Schema can say. (The second ones are tested by tests/unit/api_shape_test.c.)"""
import os

import schemathesis


SIGNED_IN = os.environ.get("SIGNED_IN")  # then a user_id that is not one's own is 403, which would be most of the answers


def one_spelling(schema):
    properties = schema.get("properties", {})
    second = {name: member["description"].removeprefix("The same as ") for name, member in properties.items()
              if member.get("description", "").startswith("The same as ")}
    for name in second:
        del properties[name]
    if SIGNED_IN:
        properties.pop("user_id", None)
    for rule in schema.pop("allOf", []):
        if "oneOf" in rule:  # the name that is required in either spelling
            schema["required"] = schema.get("required", []) + [next(n for o in rule["oneOf"] for n in o["required"] if n not in second)]


def walk(value):
    if isinstance(value, dict):
        if "properties" in value:
            one_spelling(value)
        for child in value.values():
            walk(child)
    elif isinstance(value, list):
        if SIGNED_IN:
            value[:] = [child for child in value if not (isinstance(child, dict) and child.get("name") == "user_id")]
        for child in value:
            walk(child)


def leave_out_aliases(paths):
    """Another address of a route goes that route's walk, so nothing is asked twice (test_aliases.py has them)."""
    for path in [path for path, methods in paths.items() if any("Another address of" in told.get("description", "") for told in methods.values())]:
        del paths[path]


@schemathesis.hook
def before_load_schema(context, raw_schema):
    leave_out_aliases(raw_schema["paths"])
    walk(raw_schema)
    del raw_schema["paths"]["/metrics"]  # nginx keeps it on a port of its own
    # 422, as they should be: the same key with another question, the same id for question and answer, a model that is not offered.
    chat = raw_schema["paths"]["/api/chat"]["post"]
    chat["parameters"] = [one for one in chat["parameters"] if one["name"] != "Idempotency-Key"]
    question = raw_schema["components"]["schemas"]["Chat"]["properties"]
    del question["response_id"], question["model"]
