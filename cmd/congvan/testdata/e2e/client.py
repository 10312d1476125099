# What a program written with Python's own mail modules does: two ways of TLS, folders with Vietnamese names, APPEND,
# SEARCH in UTF-8, flags, COPY, MOVE, IDLE-less waiting. Any surprise ends it with a traceback.
import base64, email, email.policy, imaplib, smtplib, ssl, sys, time
from email.message import EmailMessage

cert, submission, submissions, imap, imaps, snv, snv_password, stc, stc_password = sys.argv[1:]
tls = ssl.create_default_context(cafile=cert)


def utf7(name):
    """modified UTF-7 (RFC 3501, 5.1.3)"""
    out, run = "", ""
    for c in name + "\0":
        if " " <= c <= "~" or c == "\0":
            if run:
                out += "&" + base64.b64encode(run.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
                run = ""
            out += {"&": "&-", "\0": ""}.get(c, c)
        else:
            run += c
    return '"' + out + '"'


def ok(answer, what):
    assert answer[0] == "OK", (what, answer)
    return answer[1]


def letter(subject):
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = snv, stc, subject
    m.set_content("Kính gửi: Sở Tài chính.\nĐề nghị gửi số liệu trước ngày 30 tháng 11.\n")
    m.add_attachment(bytes(range(256)) * 40, maintype="application", subtype="octet-stream", filename="Phụ lục số 1.bin")
    return m


with smtplib.SMTP("localhost", int(submission)) as s:
    s.starttls(context=tls)
    s.login(snv, snv_password)
    assert s.has_extn("smtputf8") and s.has_extn("dsn") and s.has_extn("size"), s.esmtp_features
    s.send_message(letter("Báo cáo số một của Python"))
with smtplib.SMTP_SSL("localhost", int(submissions), context=tls) as s:
    try:
        s.login(snv, snv_password + "x")
        raise AssertionError("a wrong password was taken")
    except smtplib.SMTPAuthenticationError as e:
        assert e.smtp_code == 535, e
    s.login(snv, snv_password)
    s.send_message(letter("Báo cáo số hai của Python"), rcpt_options=["NOTIFY=SUCCESS"], mail_options=["RET=HDRS", "ENVID=py2"])
    try:
        s.sendmail(snv, ["khong-co-ai@" + stc.split("@")[1]], b"Subject: x\r\n\r\n")
        raise AssertionError("a recipient that does not exist was taken")
    except smtplib.SMTPRecipientsRefused as e:
        assert list(e.recipients.values())[0][0] == 550, e.recipients

m = imaplib.IMAP4("localhost", int(imap))
assert "LOGINDISABLED" in m.capabilities, m.capabilities
m.starttls(tls)
m.login(stc, stc_password)
ok(m.select("INBOX"), "select")


def search(*words):
    """the last word goes as a literal of UTF-8"""
    m.literal = words[-1].encode()
    return ok(m.uid("SEARCH", "CHARSET", "UTF-8", *words[:-1]), "search")[0].split()


for _ in range(50):
    both = search("SUBJECT", "của Python")
    if len(both) == 2:
        break
    time.sleep(0.2)
    m.noop()
assert len(both) == 2, both
assert len(search("SUBJECT", "Báo cáo số hai")) == 1
assert len(search("SUBJECT", "bao cao so hai")) == 1, "without marks"
assert len(search("BODY", "Đề nghị gửi số liệu")) >= 2
assert search("SUBJECT", "Báo cáo số chín mươi") == []

raw = ok(m.uid("FETCH", both[0], "(FLAGS BODY.PEEK[])"), "fetch")[0][1]
got = email.message_from_bytes(raw, policy=email.policy.default)
assert got["subject"] == "Báo cáo số một của Python", got["subject"]
part = next(got.iter_attachments())
assert part.get_filename() == "Phụ lục số 1.bin" and part.get_content() == bytes(range(256)) * 40

folders = ["Hồ sơ riêng", "Hồ sơ riêng/Năm 2026 & kế hoạch", "Đường dẫn \U0001F4C1"]
for f in folders:
    ok(m.create(utf7(f)), f)
listed = b"\n".join(x if isinstance(x, bytes) else b"".join(x) for x in ok(m.list(), "list"))
for f in folders:
    assert utf7(f).encode() in listed, (f, listed)
text = letter("Lưu tay: Quyết định thành lập").as_bytes(policy=email.policy.SMTP)
ok(m.append(utf7(folders[1]), r"(\Seen \Flagged)", imaplib.Time2Internaldate(1700000000), text), "append")
ok(m.select(utf7(folders[1])), "select folder")
uid = search("SUBJECT", "Quyết định thành lập")
assert len(uid) == 1, uid
flags, body = ok(m.uid("FETCH", uid[0], "(FLAGS INTERNALDATE BODY.PEEK[])"), "fetch")[0]
assert body == text and rb"\Seen" in flags and rb"\Flagged" in flags and imaplib.Internaldate2tuple(flags) == time.localtime(1700000000), flags
ok(m.uid("STORE", uid[0], "-FLAGS", r"(\Flagged)"), "store")
ok(m.uid("COPY", uid[0], utf7(folders[0])), "copy")
ok(m.uid("MOVE", uid[0], utf7(folders[2])), "move")
assert ok(m.select(utf7(folders[1])), "again")[0] == b"0"
assert ok(m.select(utf7(folders[2])), "third")[0] == b"1"
ok(m.store("1", "+FLAGS", r"(\Deleted)"), "delete")
assert ok(m.expunge(), "expunge") == [b"1"]
ok(m.close(), "close")
ok(m.rename(utf7(folders[0]), utf7("Hồ sơ chung")), "rename")
for f in ["Hồ sơ chung/Năm 2026 & kế hoạch", "Hồ sơ chung", folders[2]]:
    ok(m.delete(utf7(f)), f)
m.logout()

m = imaplib.IMAP4_SSL("localhost", int(imaps), ssl_context=tls)
m.login(snv, snv_password)
if "IMAP4REV2" in m.capabilities or "UTF8=ACCEPT" in m.capabilities:
    print("capabilities", " ".join(m.capabilities))
ok(m.select("INBOX", readonly=True), "examine")
for _ in range(50):
    reports = ok(m.search(None, "HEADER", "Content-Type", "multipart/report"), "search")[0].split()
    if reports:
        break
    time.sleep(0.2)
report = email.message_from_bytes(ok(m.fetch(reports[-1], "(RFC822)"), "report")[0][1], policy=email.policy.default)
status = [p for p in report.walk() if p.get_content_type() == "message/delivery-status"][0].as_string()
assert "Original-Envelope-Id: py2" in status and "Action: delivered" in status, status
m.logout()
print("all good")
