"""Reads one package as the vendor's guide for Python does, and prints it as JSON: {"header": [...], "rows": [[...], ...]}.

Usage: python3 read_csv.py part-00000-....csv.gz
Knows no null: the csv module gives '' for nothing between the commas and for "".
"""

import csv
import gzip
import json
import sys

with gzip.open(sys.argv[1], "rt", encoding="utf-8", newline="") as file:
    header, *rows = csv.reader(file, delimiter=",", quotechar='"', escapechar="\\")
json.dump({"header": header, "rows": rows}, sys.stdout)
