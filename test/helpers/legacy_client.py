"""A client of the 1.0 API, written from its document: asks for a token, polls an hour or a day, downloads and reads the packages.

Usage: python3 legacy_client.py BASE_URL PROJECT AI CLIENT_ID SECRET TM_MS DATE
Prints {"status": ..., "polls": ..., "tables": {table: {"header": [...], "rows": [[...], ...]}}} as JSON.

Like scripts of the time: it cuts the table's name out of the link's folder, unpacks with gzip, and reads with csv.
"""

import csv
import gzip
import hashlib
import hmac
import json
import os
import sys
import tempfile
import time
import urllib.parse
import urllib.request

base, project, ai, client_id, secret, tm, date = sys.argv[1:]
csv.field_size_limit(1024 * 1024)


def ask(request):
    with urllib.request.urlopen(request) as response:
        return response.headers, response.read()


message = "POST\n/auth/token\nproject=%s&ai=%s&tm=%s" % (project, ai, tm)
auth = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
form = urllib.parse.urlencode({"project": project, "ai": ai, "tm": tm, "auth": auth}).encode()
_, body = ask(urllib.request.Request(base + "/auth/token", form, {"X-Client-Id": client_id}))
token = json.loads(body)["code"]

headers = {"X-Client-Id": client_id, "Authorization": "Token " + token}
polls = 0
while True:
    polls += 1
    url = "%s/insights/%s/%s.json?expire=5" % (base, ai, date)
    insights = json.loads(ask(urllib.request.Request(url, None, headers))[1])
    if insights["status"] != "RUNNING" or polls > 200:
        break
    time.sleep(0.1)

tables = {}
for link in insights["downlinks"]:
    folder, name = os.path.split(urllib.parse.urlparse(link).path)
    table = "_".join(folder.split("_")[2:-1])
    reply, package = ask(link)
    assert hashlib.md5(package).hexdigest() == reply["x-amz-meta-md5-hash"], "the MD5 of the header"
    assert len(package) == int(reply["Content-Length"]), "the length of the header"
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, name)
        with open(path, "wb") as file:
            file.write(package)
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file, delimiter=",", quotechar='"', escapechar="\\")
    known = tables.setdefault(table, {"header": header, "rows": []})
    assert known["header"] == header, "one header for all parts"
    known["rows"] += rows

json.dump({"status": insights["status"], "polls": polls, "tables": tables}, sys.stdout)
