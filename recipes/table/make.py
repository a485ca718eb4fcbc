#!/usr/bin/env python3
"""Writes flats.csv: 1,200 invented flats, always the same ones.

The rule, so that a reader knows what a model can find:

    rent = 9.5 * area * place * age + 12 * floor + noise,   noise normal with deviation 45

    place  1.35 centre, 1.10 river, 1.00 north, 0.85 south
    age    0.8 for 1950, rising by 0.004 a year
    kind   studio: up to 38 m2; loft: ceilings from 3.1 m; family: all others. One in twenty is told wrongly
"""
import csv
import random
from pathlib import Path

random.seed(7)
place = {"centre": 1.35, "river": 1.10, "north": 1.00, "south": 0.85}
rows = []
for _ in range(1200):
    area = round(random.uniform(22, 140), 1)
    year = random.randint(1950, 2020)
    floor = random.randint(0, 9)
    height = round(random.choice([random.uniform(2.4, 2.9), random.uniform(3.1, 3.8)]), 2)
    district = random.choice(list(place))
    kind = "studio" if area <= 38 else "loft" if height >= 3.1 else "family"
    if random.random() < 0.05:
        kind = random.choice(["studio", "loft", "family"])
    rent = 9.5 * area * place[district] * (0.8 + 0.004 * (year - 1950)) + 12 * floor + random.gauss(0, 45)
    rows.append([area, year, floor, height, district, kind, round(rent)])

with open(Path(__file__).parent / "flats.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["area", "year", "floor", "height", "district", "kind", "rent"])
    writer.writerows(rows)
