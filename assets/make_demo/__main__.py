"""Make the demo people: ``python -m assets.make_demo --help``.

``settle`` finds each person's identity (slow, writes identities.json beside this file);
``make`` draws the portraits and speaks the clips from it (writes assets/demo).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from . import faces, identity, sources, voices
from .people import LOOKS, ORDER, PEOPLE, TAKES

HERE = Path(__file__).parent
IDENTITIES = HERE / "identities.json"
SEED = 20


def settle(args: argparse.Namespace) -> None:
    """Find the identities and write them down."""
    encoders = [sources.Encoder(path) for path in args.encoder]
    watch = identity.Watch(str(args.detector), encoders, args.threshold)
    pack = args.shared / "data/faces"
    rows = sources.selection(pack, SEED)
    found: dict[str, Any] = json.loads(IDENTITIES.read_text()) if args.only else {}
    others: list[list[sources.Floats]] = []
    for number, person in enumerate(PEOPLE):
        members = sources.load(pack, rows, person.members)
        near = [encoder(members.inner) for encoder in encoders]
        if args.only and person.name not in args.only:
            weights, shape = np.array(found[person.name]["weights"]), faces.Shape(**found[person.name]["shape"])
            others.append(watch.embed(identity.plain(faces.aligned(members), person.hair, weights, shape)))
            continue
        rng = np.random.default_rng([SEED, number])
        one = identity.settle(faces.aligned(members), person.hair, near, others, watch, rng, args.draws)
        others.append(one.embeddings)
        found[person.name] = {
            "weights": [round(float(w), 4) for w in one.weights],
            "shape": {k: round(v, 2) for k, v in vars(one.shape).items()},
        }
        nearest = [round(float((m @ e).max()), 3) for m, e in zip(near, one.embeddings, strict=True)]
        print(person.name, "nearest source", nearest, flush=True)
    IDENTITIES.write_text(json.dumps(found, indent=1) + "\n")


def make(args: argparse.Namespace) -> None:
    """Write portraits, clips and people.toml."""
    found = json.loads(IDENTITIES.read_text())
    pack = args.shared / "data/faces"
    rows = sources.selection(pack, SEED)
    for number, person in enumerate(PEOPLE):
        folder = args.out / person.name
        folder.mkdir(exist_ok=True, parents=True)
        weights = np.array(found[person.name]["weights"])
        shape = faces.Shape(**found[person.name]["shape"])
        images = faces.aligned(sources.load(pack, rows, person.members))
        for k, (name, look) in enumerate(LOOKS):
            rng = np.random.default_rng([SEED, number, k])
            mixed = faces.mix(images, weights * np.exp(rng.normal(0, 0.15, len(weights))))
            picture = faces.portrait(faces.reshape(mixed, shape), look, person.hair, rng)
            bgr = np.ascontiguousarray(picture[..., ::-1])
            cv2.imwrite(str(folder / f"face-{name}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
        for k, (name, take) in enumerate(TAKES):
            rng = np.random.default_rng([SEED, number, 10 + k])
            said = voices.Take(**{**vars(take), "sentence": (take.sentence + number) % len(voices.SENTENCES)})
            voices.save(voices.speak(person.voice, said, rng), folder / f"voice-{name}.ogg")
        print(person.name, "written", flush=True)
    (args.out / "people.toml").write_text(_listing())


def _listing() -> str:
    """people.toml: who is enrolled with what, and the comparisons of the demonstration."""
    lines = [
        "# The demo people. None of them exists: see README.md in this folder.",
        "# Every probe is compared with every enrolled person: with its own, a mated comparison;",
        "# with the others, non-mated ones. `trial` lists a short selection of both.",
        "schema = 1",
    ]
    for person in sorted(PEOPLE, key=lambda p: ORDER.index(p.name)):
        lines += ["", "[[person]]", f'name = "{person.name.capitalize()}"', f'folder = "{person.name}"']
        for kind, list_, suffix in (("face", LOOKS, "jpg"), ("voice", TAKES, "ogg")):
            for role in ("reference", "probe"):
                files = [f'"{kind}-{name}.{suffix}"' for name, _ in list_ if name.startswith(role)]
                lines.append(f"{kind}_{role}s = [{', '.join(files)}]")
    names = [p.name for p in PEOPLE]
    for k, name in enumerate(names):
        other = names[(k + 2) % len(names)]  # neighbours two apart are alike in sex or origin in part
        for kind, suffix in (("face", "jpg"), ("voice", "ogg")):
            for probe, claimed, mated in (
                ("probe-1", name, "true"),
                ("probe-2", name, "true"),
                ("probe-1", other, "false"),
            ):
                lines += [
                    "", "[[trial]]", f'modality = "{kind}"', f'probe = "{name}/{kind}-{probe}.{suffix}"',
                    f'claimed = "{claimed.capitalize()}"', f"mated = {mated}",
                ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make the demo people.")
    parser.add_argument("step", choices=["settle", "make"])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--encoder", type=Path, nargs="+", help="face encoders to watch with")
    parser.add_argument(
        "--threshold",
        type=float,
        nargs="+",
        default=[0.341],
        help="cosine of each encoder at a false-match rate of 1e-3",
    )
    parser.add_argument("--detector", type=Path, help="detector to watch with")
    parser.add_argument("--only", nargs="+", help="settle these people alone, beside the others as they are")
    parser.add_argument("--draws", type=int, default=60, help="shapes tried per person")
    parser.add_argument("--out", type=Path, default=HERE.parent / "demo")
    args = parser.parse_args()
    args.encoder = args.encoder or [args.shared / "teachers/mobilefacenet.onnx"]
    args.detector = args.detector or args.shared / "teachers/yunet_n_dynamic.onnx"
    {"settle": settle, "make": make}[args.step](args)


if __name__ == "__main__":
    main()
