# An independent verifier of bundles: hashlib alone for chains, leaves, proofs and heads; the Ed25519 signature by openssl.
import base64, hashlib, json, struct, subprocess, sys, tempfile, zipfile

def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def fields(*parts): return sha(*(struct.pack(">q", len(p)) + p for p in parts))
def num(n): return struct.pack(">q", n)

def note(text, vkey):
    body, sigs = text.rsplit("\n\n", 1)
    body += "\n"
    name, hash_, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == 1 and hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == hash_
    _, signer, sig = sigs.strip("\n").split(" ")
    sig = base64.b64decode(sig)
    assert signer == name and sig[:4].hex() == hash_
    with tempfile.TemporaryDirectory() as d:
        open(d + "/k", "wb").write(bytes.fromhex("302a300506032b6570032100") + key[1:])
        open(d + "/s", "wb").write(sig[4:])
        open(d + "/m", "wb").write(body.encode())
        subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", d + "/k", "-keyform", "DER", "-rawin", "-in", d + "/m",
                        "-sigfile", d + "/s"], check=True, stdout=subprocess.DEVNULL)
    return body

def root_of(proof, lo, hi, n, leaf):
    if hi - lo == 1:
        assert not proof
        return leaf
    k = 1
    while k * 2 < hi - lo: k *= 2
    if n < lo + k: return sha(b"\x01", root_of(proof[:-1], lo, lo + k, n, leaf), proof[-1])
    return sha(b"\x01", proof[-1], root_of(proof[:-1], lo + k, hi, n, leaf))

z, vkey = zipfile.ZipFile(sys.argv[1]), sys.argv[2].strip()
manifest = note(z.read("MANIFEST").decode(), vkey).split("\n")
for line in manifest[3:-1]:
    digest, length, name = line.split("  ", 2)
    data = z.read(name)
    assert len(data) == int(length) and sha(data).hex() == digest, name
heads = [note(json.loads(l)["note"], vkey).split("\n") for l in z.read("checkpoints.jsonl").decode().splitlines()]
size, root = int(heads[-1][1]), base64.b64decode(heads[-1][2])
record = json.loads(z.read("record.json"))
events = [json.loads(l) for l in z.read("events.jsonl").decode().splitlines()]
own, issue, prev = record["id"] << 20, None, {}
copies = {d["id"]: d for d in record["dispatches"]}
for e in events:
    chain, before = e["chain"], prev.get(e["chain"])
    if before is None and chain == own: before = bytes(32)
    if before is None:
        d = copies[chain]
        before = fields(issue, b"dispatch", num(record["id"]), d["unit"].encode(), d["name"].encode(), d["address"].encode(), d["way"].encode(),
                        num(d["line"]), d["purpose"].encode(), num(d.get("parent") or 0), base64.b64decode(d["secret_sha256"]))
    digest = fields(before, num(chain), num(e["ordinal"]), num(e["at"]), e["kind"].encode(), e["actor"].encode(), e["detail"].encode())
    assert base64.b64decode(e["digest"]) == digest, "event %d of %d" % (e["ordinal"], chain)
    prev[chain] = digest
    if chain == own and e["kind"] == "issued": issue = digest
    leaf = sha(b"\x00", struct.pack(">qqq", e["epoch"], chain, e["ordinal"]) + digest)
    assert root_of([base64.b64decode(p) for p in e["proof"] or []], 0, size, e["leaf"], leaf) == root, "leaf %d" % e["leaf"]
print("valid: %d events of %d" % (len(events), size))
