"""Who the demo people are: members of the blend, painted surroundings, voice, recordings.

Names are invented. Nothing ties a voice's accent to a face: both were drawn to lie far apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from .faces import Hair, Look, Shape
from .voices import Take, Voice


@dataclass(frozen=True)
class Person:
    """``members`` are positions in the seeded selection of :mod:`sources`, not file names."""

    name: str
    members: tuple[int, ...]
    hair: Hair
    voice: Voice


PEOPLE = (
    Person(
        "ada",
        (2206, 2699, 2249, 2612, 2106, 1966, 2250, 2217, 2510, 2547, 1852, 2652, 759, 3765, 2073, 3640),
        Hair((62, 44, 36), True, 82, 14, (70, 96, 120)),
        Voice("en-029+f1", 42, 0.886, (4, -4, 1, -6, 2), 156),
    ),
    Person(
        "bruno",
        (912, 957, 1535, 1300, 516, 3607, 1594, 1641, 1299, 1039, 1184, 1315, 1113, 1384, 763, 1019, 1318),
        Hair((92, 74, 58), False, 86, 22, (58, 62, 70)),
        Voice("it+klatt4", 56, 1.065, (-2, 1, -9, 0, -1), 145),
    ),
    Person(
        "chun",
        (546, 436, 538, 115, 525, 733, 699, 2456, 343, 771, 655),
        Hair((34, 30, 30), False, 84, 18, (150, 152, 156)),
        Voice("ru+klatt2", 52, 0.973, (4, -2, 3, -2, 3), 160),
    ),
    Person(
        "dalia",
        (3693, 3619, 2606, 2518, 2512, 1983, 2239, 2384, 2161, 2091, 1961, 2205, 2276, 2403, 2656, 2669, 3655, 3678),
        Hair((36, 26, 22), True, 82, 14, (134, 52, 58)),
        Voice("en-029+f5", 35, 0.963, (1, 4, 4, 10, 1), 158),
    ),
    Person(
        "emi",
        (557, 178, 218, 496, 555, 61, 46, 464, 21, 727, 3557, 865, 506, 411, 31),
        Hair((30, 26, 28), True, 80, 18, (196, 186, 160)),
        Voice("ru+f4", 66, 0.922, (-2, 7, -5, -3, 4), 170),
    ),
    Person(
        "femi",
        (
            1278,
            1036,
            1408,
            1358,
            1271,
            1789,
            1794,
            1033,
            1200,
            942,
            945,
            1781,
            1681,
            949,
            1684,
            1017,
            1559,
            1452,
            960,
            1156,
            1311,
            1192,
        ),
        Hair((34, 28, 26), False, 84, 40, (86, 108, 84)),
        Voice("en-us+m1", 60, 1.088, (6, 2, 8, -4, 2), 158),
    ),
)

# The order of the listing: false claims are made on the person next or two places on, and these
# pairs are the least alike.
ORDER = ("emi", "bruno", "chun", "ada", "dalia", "femi")

# Four photographs of each person: two for enrolment, two to be verified.
LOOKS = (
    ("reference-1", Look()),
    (
        "reference-2",
        Look(Shape(smile=3, mouth_wide=1.5), yaw=-6, roll=2, warmth=0.04, ground=(186, 178, 166), size=0.96),
    ),
    (
        "probe-1",
        Look(Shape(smile=-1, brows_up=1.5), yaw=11, roll=-5, light=(0.45, 0), ground=(120, 128, 138), size=1.04),
    ),
    (
        "probe-2",
        Look(
            Shape(smile=5, mouth_wide=2, eye_size=-0.6),
            yaw=-4,
            roll=6,
            light=(-0.3, 0.25),
            exposure=-0.25,
            warmth=-0.05,
            ground=(96, 88, 84),
            size=0.9,
            blur=0.7,
            noise=4,
        ),
    ),
)

# Four recordings of each person; the sentence is counted on from the person's own start.
TAKES = (
    ("reference-1", Take(0)),
    ("reference-2", Take(1, pace=0.96, pitch=2, level=0.4)),
    ("probe-1", Take(2, pace=1.04, pitch=-2, level=0.12, room=0.25, noise=32)),
    ("probe-2", Take(3, pace=0.93, level=0.5, room=0.15, noise=28)),
)
