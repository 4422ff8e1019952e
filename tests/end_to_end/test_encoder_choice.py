"""Another encoder is put to use: its templates count, those of the one before do not."""

from __future__ import annotations

from tests.cli.conftest import Tool
from verify_app.services.demo.people import DemoPerson

LIGHT = "face-encoder-light"


def test_the_light_encoder_replaces_the_default_until_told_otherwise(
    tool: Tool, people: tuple[DemoPerson, ...]
) -> None:
    person, other = people[:2]
    claim = ("verify", "--as", person.name, person.probe_faces[0], "--json")
    assert tool("enroll", person.name, *person.enrol_faces).code == 0
    before = tool(*claim)
    assert before.code == 0

    chosen = tool("models", "use", LIGHT)
    assert chosen.code == 0
    assert "1 person has no template" in chosen.out
    listed = tool("models", "list", "--json").json["models"]
    assert [one["name"] for one in listed if one["default"] and one["role"] == "face-encoder"] == [LIGHT]

    refused = tool(*claim)
    assert refused.code == 4
    assert refused.reason == "contract_mismatch"

    assert tool("enroll", person.name, *person.enrol_faces).code == 0
    assert tool(*claim).code == 0
    assert tool("verify", "--as", person.name, other.probe_faces[0], "--json").code == 1

    assert "no template" not in tool("models", "use", "face-encoder").out
    again = tool(*claim)
    assert again.code == 0
    assert again.json["comparisons"][0]["score"] == before.json["comparisons"][0]["score"]


def test_what_is_no_encoder_is_refused(tool: Tool, people: tuple[DemoPerson, ...]) -> None:
    unknown = tool("models", "use", "nothing")
    assert unknown.code == 4
    assert LIGHT in unknown.err
    detector = tool("models", "use", "face-detector")
    assert detector.code == 2
    assert "not an encoder" in detector.err
    wrong = tool("models", "list", VERIFY_APP_FACE_ENCODER="voice-encoder")
    assert wrong.code == 4
    assert "face-encoder" in wrong.err
