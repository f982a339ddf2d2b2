#!/bin/sh
# What everything else hangs on, checked by openssl and poppler alone, with nothing of Acuse:
#   bundle.json      the log's signature of its checkpoint, and the time stamp over it
#   certificate.pdf  the issuer's seal over every byte, and the time stamp over both
# Usage: sh check-by-hand.sh [DIR]   with trusted.policy, tsa-ca.pem and seal-ca.pem beside them.
# Whether the text is what was sealed, acuse-verify.py tells; whether the pages say so, acuse verify.
set -eu
cd "${1:-$(dirname "$0")}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$work" <<'END'
import base64, json, pathlib, re, sys
work = pathlib.Path(sys.argv[1])
proof = json.load(open("bundle.json"))
key = next(row.split()[1] for row in open("trusted.policy") if row.startswith("log "))
text, _, lines = proof["entries"][0]["proof"].split("\n\n", 1)[1].rpartition("\n\n")
(work / "checkpoint").write_text(text + "\n")
line = next(line for line in lines.split("\n") if line.split()[1] == key.split("+")[0])
(work / "signature").write_bytes(base64.b64decode(line.split()[2])[4:])
spki = bytes.fromhex("302a300506032b6570032100")
(work / "log.der").write_bytes(spki + base64.b64decode(key.split("+", 2)[2])[1:])
stamp = next(one for one in proof["timestamps"] if one["over"] == text + "\n")
(work / "token").write_bytes(base64.b64decode(stamp["token"]))
pdf = pathlib.Path("certificate.pdf").read_bytes()
ranges = re.findall(rb"/ByteRange *\[ *(\d+) +(\d+) +(\d+) +(\d+) *\]", pdf)
for number, (begin, size, again, rest) in enumerate([map(int, one) for one in ranges]):
    (work / f"range{number}").write_bytes(pdf[begin : begin + size] + pdf[again : again + rest])
    der = bytes.fromhex(pdf[begin + size + 1 : again - 1].decode())
    length = int.from_bytes(der[2 : 2 + der[1] - 128], "big") + 2 + der[1] - 128
    (work / f"signature{number}").write_bytes(der[:length])
assert len(ranges) == 2 and again + rest == len(pdf), "bytes that nobody signed stand at its end"
END

echo "the log's checkpoint:"
cat "$work/checkpoint"
openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/log.der" -rawin \
    -in "$work/checkpoint" -sigfile "$work/signature"
openssl ts -reply -in "$work/token" -token_in -text 2>/dev/null | grep "Time stamp:"
openssl ts -verify -data "$work/checkpoint" -in "$work/token" -token_in -CAfile tsa-ca.pem
echo "the certificate's seal, and the time stamp over all of it:"
openssl cms -verify -inform DER -in "$work/signature0" -content "$work/range0" -binary \
    -CAfile seal-ca.pem -purpose any -out /dev/null
openssl ts -verify -data "$work/range1" -in "$work/signature1" -token_in -CAfile tsa-ca.pem

if ! command -v pdfsig >/dev/null || ! command -v certutil >/dev/null; then
    echo "pdfsig (poppler-utils) or certutil (libnss3-tools) is not installed: left out"
    exit 0
fi
mkdir "$work/nss"
certutil -N -d "sql:$work/nss" --empty-password
certutil -A -d "sql:$work/nss" -n seal -t C,C,C -i seal-ca.pem
pdfsig -nssdir "$work/nss" certificate.pdf >"$work/said" 2>/dev/null || true
grep -E "Signature Validation|Certificate Validation|document signed" "$work/said"
grep -q "Signature is Valid" "$work/said" && grep -q "Certificate is Trusted" "$work/said"
