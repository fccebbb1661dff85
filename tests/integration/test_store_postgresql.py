"""PostgreSQL: a database that Prisma made is adopted in place and shared with its clients; workers meet in a new one; connections
that break, a server that ends, a commit that nobody hears of, certificates, and search."""
import json
import os
import shutil
import subprocess
import uuid

import pytest

from api import listed, make
from house import DEADLINE_S, ROOT, Process, Site, StoreProxy, environment_of, in_parallel, wait_for

# As `prisma migrate` writes it for the documented models.
PRISMA = """
CREATE TABLE "Thread" (
    "id" TEXT NOT NULL, "userId" TEXT NOT NULL, "title" TEXT, "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL, "metadata" JSONB, CONSTRAINT "Thread_pkey" PRIMARY KEY ("id"));
CREATE TABLE "Message" (
    "id" TEXT NOT NULL, "threadId" TEXT NOT NULL, "role" TEXT NOT NULL, "content" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "metadata" JSONB, CONSTRAINT "Message_pkey" PRIMARY KEY ("id"));
CREATE INDEX "Thread_userId_idx" ON "Thread"("userId");
CREATE INDEX "Thread_updatedAt_idx" ON "Thread"("updatedAt");
CREATE INDEX "Message_threadId_idx" ON "Message"("threadId");
CREATE INDEX "Message_threadId_createdAt_idx" ON "Message"("threadId", "createdAt");
ALTER TABLE "Message" ADD CONSTRAINT "Message_threadId_fkey" FOREIGN KEY ("threadId") REFERENCES "Thread"("id")
    ON DELETE CASCADE ON UPDATE CASCADE;
"""
NOBODY = "http://127.0.0.1:1/v1"  # no C1 API: a check that asked for the real one would wait for the network
THREAD = 'INSERT INTO "public"."Thread" ("id","userId","title","createdAt","updatedAt","metadata") VALUES '
MESSAGE = 'INSERT INTO "public"."Message" ("id","threadId","role","content","createdAt") VALUES '


def fresh(word="p"):
    return f"{word}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def server(server_of):
    return server_of("postgresql")


def c1d(uri, folder, *args, **more):
    """The program, once."""
    folder.mkdir(exist_ok=True)
    settings = {"C1D_STORE": uri, "C1D_STATE_DIR": f"{folder}/state", "C1D_SOCKET": f"{folder}/c1d.sock", "THESYS_API_KEY": "sk-th-test-canary-0123456789",
                "THESYS_BASE_URL": NOBODY, **more}
    program = os.environ.get("C1D_BIN", str(ROOT / "build/c1d"))
    return subprocess.run([program, *args], env=environment_of(settings), capture_output=True, text=True, timeout=2 * DEADLINE_S, check=False)


@pytest.fixture(scope="module")
def prisma(server, scratch):
    """A database as Prisma made and filled it, not adopted yet: name and address."""
    name = fresh("prisma")
    uri = server.uri(name) + "?schema=public&connection_limit=5"
    server.sql(name, PRISMA)
    server.sql(name, THREAD + """('old','ada','Before c1d','2025-01-01 10:00:00','2025-01-02 10:00:00','{"b":2, "a":[1.0]}'),
        ('none','ada',NULL,'2025-01-01 10:00:00','2025-01-01 10:00:00',NULL)""")
    server.sql(name, MESSAGE + """('m3','old','user','third','2025-01-01 10:00:03'), ('m1','old','user','first','2025-01-01 10:00:01'),
        ('m2','old','assistant','second','2025-01-01 10:00:02'), ('n1','none','user','alone','2025-01-01 10:00:00')""")
    return name, uri


def contents(site, thread):
    return [(m["role"], m["content"]) for m in site.messages(thread)]


# --- Prisma's database ---
def test_f20_prismas_tables_are_served_once_they_are_adopted_and_not_before(prisma, server, scratch):
    name, uri = prisma
    for args in (["serve"], ["check"]):
        done = c1d(uri, scratch / fresh(), *args)
        assert done.returncode != 0 and "c1d store migrate" in done.stderr + done.stdout, done
    done = c1d(uri, scratch, "store", "status")
    assert "will be adopted" in done.stdout, done
    before = server.sql(name, 'SELECT t::text FROM "Thread" t ORDER BY id')
    for _ in range(2):  # the second time nothing is left to do
        done = c1d(uri, scratch, "store", "migrate", "--json")
        assert done.returncode == 0 and json.loads(done.stdout)["there"] == json.loads(done.stdout)["here"], done
    assert server.sql(name, 'SELECT (t.id, t."userId", t.title, t."createdAt", t."updatedAt", t.metadata)::text FROM "Thread" t ORDER BY id'
                      ) == before


@pytest.fixture(scope="module")
def adopted(prisma, scratch, upstream):
    done = c1d(prisma[1], scratch, "store", "migrate")
    assert done.returncode == 0, done
    house = Site(scratch, upstream, {"C1D_STORE": prisma[1]})
    yield house
    house.stop()


def test_f20_rows_of_before_are_read_in_the_order_of_their_time_and_answered(adopted, prisma, server):
    assert contents(adopted, "old") == [("user", "first"), ("assistant", "second"), ("user", "third")]
    shown = adopted.get("/api/threads/old").json()
    assert shown["title"] == "Before c1d" and shown["metadata"] == {"a": [1.0], "b": 2}
    assert adopted.get("/api/threads/none").json()["title"] == ""
    answer = adopted.chat("And the fourth?", thread="old")
    assert answer.status == 200, answer
    sent = adopted.upstream.requests()[-1]["body"]["messages"]
    assert [m["content"] for m in sent][-4:] == ["first", "second", "third", "And the fourth?"]
    # What Prisma reads: its own columns, in its order.
    rows = server.sql(prisma[0], 'SELECT "role", "content" FROM "Message" WHERE "threadId" = \'old\' ORDER BY "createdAt" ASC').splitlines()
    assert rows[:3] == ["user\tfirst", "assistant\tsecond", "user\tthird"] and rows[3] == "user\tAnd the fourth?" and len(rows) == 5
    assert rows[4].split("\t")[1] == answer.text


def test_f20_what_prisma_inserts_beside_us_is_served_and_answered(adopted, prisma, server):
    name, thread = prisma[0], fresh("by-prisma")
    server.sql(name, THREAD + f"('{thread}','ada','New','2026-01-01 10:00:00','2026-01-01 10:00:00',NULL)")
    for i, role in enumerate(("user", "assistant", "user")):
        server.sql(name, MESSAGE + f"('{thread}-{i}','{thread}','{role}','text {i}','2026-01-01 10:00:0{i}')")
    assert contents(adopted, thread) == [("user", "text 0"), ("assistant", "text 1"), ("user", "text 2")]
    assert adopted.chat("Go on", thread=thread).status == 200
    server.sql(name, MESSAGE + f"('{thread}-last','{thread}','user','text 5','2026-01-01 10:00:09')")
    assert [content for _, content in contents(adopted, thread)][-1] == "text 5"
    page = adopted.messages(thread, f"?after={thread}-1&limit=2")
    assert [m["content"] for m in page] == ["text 2", "Go on"]
    assert thread in [t["id"] for t in listed(adopted, user_id="ada")]


def test_f20_what_prisma_changes_is_seen_and_its_etag_grows(adopted, prisma, server):
    made = make(adopted, title="Mine", metadata={"z": 1}, user_id="ada")
    path = f"/api/threads/{made['id']}"
    tag = adopted.get(path).headers["ETag"]
    server.sql(prisma[0], f"""UPDATE "Thread" SET title = 'Theirs', metadata = '{{"y":2}}', "updatedAt" = now() WHERE id = '{made['id']}'""")
    shown = adopted.get(path)
    assert (shown.json()["title"], shown.json()["metadata"]) == ("Theirs", {"y": 2}) and shown.headers["ETag"] != tag
    assert adopted.request("PATCH", path, b'{"title":"Late"}', {"If-Match": tag, "Content-Type": "application/json"}).status == 412
    server.sql(prisma[0], f"""DELETE FROM "Thread" WHERE id = '{made['id']}'""")
    assert adopted.get(path).status == 404


def test_f20_prisma_sees_no_thread_that_was_deleted_here(adopted, prisma, server):
    thread = make(adopted, title="Away")["id"]
    adopted.chat("Hello", thread=thread)
    assert adopted.delete(f"/api/threads/{thread}").status == 200
    wait_for(lambda: server.sql(prisma[0], f"""SELECT count(*) FROM "Thread" WHERE id = '{thread}'""").strip() == "0", "the row is gone")
    assert server.sql(prisma[0], f"""SELECT count(*) FROM "Message" WHERE "threadId" = '{thread}'""").strip() == "0"
    assert adopted.chat("Hello", thread=thread).status == 404  # its mark stays


def test_f20_an_id_that_another_thread_has_stays_readable(adopted, prisma, server):
    one, two = make(adopted)["id"], make(adopted)["id"]
    name = fresh("m")
    for thread in (one, two):
        assert adopted.post(f"/api/threads/{thread}/messages", {"id": name, "role": "user", "content": thread}).status == 201
    assert [adopted.message(thread, name)["content"] for thread in (one, two)] == [one, two]
    assert server.sql(prisma[0], f"""SELECT "id" FROM "Message" WHERE "threadId" IN ('{one}', '{two}') ORDER BY c1d_id NULLS FIRST"""
                      ).split() == [name, f"{two}/{name}"]


def test_f20_a_table_of_another_kind_is_refused_in_words(server, scratch):
    name = fresh("other")
    uri = server.uri(name)
    server.sql(name, 'CREATE TABLE "Message" (id SERIAL PRIMARY KEY, body TEXT)')
    for args in (["serve"], ["store", "migrate"]):
        done = c1d(uri, scratch / fresh(), *args)
        assert done.returncode != 0 and "not as the documented schema" in done.stderr, done


def test_f20_an_adoption_that_fails_leaves_everything_as_it_was(server, scratch):
    name = fresh("half")
    uri = server.uri(name)
    server.sql(name, PRISMA)
    server.sql(name, "CREATE FUNCTION c1d_number() RETURNS int LANGUAGE sql AS 'SELECT 1'")  # what the last step would make
    done = c1d(uri, scratch / fresh(), "store", "migrate")
    assert done.returncode != 0 and "already exists" in done.stderr, done
    assert server.sql(name, "SELECT count(*) FROM pg_attribute WHERE attname LIKE 'c1d%'").strip() == "0"
    server.sql(name, "DROP FUNCTION c1d_number()")
    assert c1d(uri, scratch / fresh(), "store", "migrate").returncode == 0


# --- a new database ---
def was_late(line):
    """On a busy machine one of many may wait for the others' lock longer than a call lasts; it looks again."""
    return line.get("sqlstate") in ("55P03", "57014") or line.get("reason") in ("storage_timeout", "storage_unavailable")


def test_f21_workers_of_two_nodes_start_at_once_in_an_empty_database(server, scratch, upstream, new_site):
    name = fresh("empty")
    uri = server.uri(name)
    sites = [new_site({"C1D_STORE": uri}, workers=3, start=False) for _ in range(2)]
    for site in sites:
        site.ready_before, site.c1d = 0, Process([site.program, "serve"], site.folder, "c1d", env=site.environment())
    for site in sites:
        wait_for(site.is_ready, "the workers are ready")
    assert server.sql(name, "SELECT version FROM c1d_schema").split() == ["1"]
    for site in sites:
        wait_for(lambda site=site: site.get("/readyz").status == 200, "the store is there")
    assert not (failed := [line for site in sites for line in site.log_lines() if line["level"] == "error" and not was_late(line)]), failed
    made = make(sites[0], title="Of both")["id"]
    assert sites[1].get(f"/api/threads/{made}").json()["title"] == "Of both"


def test_f21_the_tables_of_a_newer_program_are_refused(server, scratch):
    name = fresh("newer")
    uri = server.uri(name)
    assert c1d(uri, scratch, "store", "migrate").returncode == 0
    server.sql(name, "UPDATE c1d_schema SET version = 99")
    for args in (["serve"], ["store", "migrate"]):
        done = c1d(uri, scratch / fresh(), *args)
        assert done.returncode == 78 and "version 99, made by a newer c1d" in done.stderr, done
    assert c1d(uri, scratch, "store", "status").returncode == 78


def test_f21_prismas_schema_is_a_schema_of_ours(server, scratch, new_site):
    name = fresh("schemas")
    site = new_site({"C1D_STORE": server.uri(name) + "?schema=tenant_7"})
    thread = make(site, title="In its schema")["id"]
    assert site.chat("Hello", thread=thread).status == 200
    assert server.sql(name, "SELECT title FROM tenant_7.\"Thread\"").strip() == "In its schema"
    pooled = new_site({"C1D_STORE": server.uri(fresh("pooled")) + "?pgbouncer=true"})
    assert pooled.chat("Hello").status == 200


# --- search ---
def test_f22_a_search_finds_what_was_said_and_parts_of_titles(adopted):
    user, word = fresh("u"), fresh("w").replace("-", "")
    titled = make(adopted, title=f"About {word.upper()}s", user_id=user)["id"]
    said = make(adopted, title="Else", user_id=user)["id"]
    make(adopted, title="Nothing", user_id=user)
    adopted.post(f"/api/threads/{said}/messages", {"role": "user", "content": f"What of the {word.title()}, and more?"})
    assert {t["id"] for t in listed(adopted, user_id=user, q=word)} == {titled, said}
    assert [t["id"] for t in listed(adopted, user_id=user, q=word[1:])] == [titled]
    assert listed(adopted, user_id=fresh("u"), q=word) == []


# --- a server that goes away ---
def test_c3_connections_that_the_server_ends_are_made_anew_unseen(adopted, prisma, server):
    thread = make(adopted, title="Stays")["id"]
    for i in range(3):
        server.sql(prisma[0], "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE application_name = 'c1d' AND"
                              " datname = current_database()")  # and they have ended
        assert adopted.get(f"/api/threads/{thread}").status == 200
        assert adopted.patch(f"/api/threads/{thread}", {"title": f"Title {i}"}).status == 200
    assert adopted.log_lines("store down") == []


def test_c3_a_server_that_restarts_is_found_again(own_server, new_site):
    server = own_server("postgresql")
    site = new_site(server.settings("restarts"))
    thread = make(site, title="Before")["id"]
    server.stop()
    assert site.get(f"/api/threads/{thread}").status == 503
    wait_for(lambda: site.log_lines("PostgreSQL cannot be used"), "the reason is logged")
    server.start()
    wait_for(lambda: site.get(f"/api/threads/{thread}").status == 200, "the store is back")
    assert site.chat("Hello", thread=thread).status == 200


def test_c5_a_commit_whose_answer_is_lost_is_told_as_unknown_and_done_once(server, scratch, new_site):
    name = fresh("cut")
    server.uri(name)
    proxy = StoreProxy(scratch / fresh("proxy"), "tcp://{}:{}".format(*server.address()))
    try:
        site = new_site(server.settings(name, proxy.address))
        thread = make(site)["id"]
        proxy.rule("cut_after", "c1d_MESSAGE_INSERT", until="COMMIT")
        answer = site.post(f"/api/threads/{thread}/messages", {"id": "m", "role": "user", "content": "Once"})
        assert answer.status == 504 and answer.json()["code"] == "storage_timeout", answer
        again = site.post(f"/api/threads/{thread}/messages", {"id": "m", "role": "user", "content": "Once"})
        assert again.status in (201, 409), again
        assert [m["content"] for m in site.messages(thread)] == ["Once"]
        # The end of an answer is told until it is heard.
        proxy.rule("cut_after", "c1d_MESSAGE_FINISH", until="COMMIT")
        answer = site.chat("Hello", thread=thread)
        shown = site.wait_status(thread, answer.headers["X-Response-Id"], "complete")
        assert shown["content"] == answer.text
        # What is cut before it reaches the server has not happened, and is done on another connection.
        proxy.rule("cut_before", "c1d_THREAD_UPDATE")
        assert site.patch(f"/api/threads/{thread}", {"title": "Done"}).status in (200, 504)
        assert site.get(f"/api/threads/{thread}").status == 200
    finally:
        proxy.stop()


# What a server that is shut down says between the answer to a commit and the end of the batch.
COMMITTED = "C\0\0\0\x0bCOMMIT\0"
FAREWELL = "SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"


def test_c5_a_commit_that_was_heard_stays_done_though_the_server_ends_behind_it(server, scratch, new_site):
    name = fresh("farewell")
    server.uri(name)
    proxy = StoreProxy(scratch / fresh("proxy"), "tcp://{}:{}".format(*server.address()))
    ends = {"until": COMMITTED, "text": f"E\0\0\0{chr(len(FAREWELL) + 4)}{FAREWELL}"}
    try:
        site = new_site(server.settings(name, proxy.address))
        thread = make(site)["id"]
        rule = proxy.rule("end_behind", "c1d_MESSAGE_INSERT", **ends)
        answer = site.post(f"/api/threads/{thread}/messages", {"id": "m", "role": "user", "content": "Once"})
        proxy.wait_rule(rule)
        assert answer.status == 201, answer
        rule = proxy.rule("end_behind", "c1d_CLAIM_SET", **ends)
        answer = site.chat("Hello", thread=thread)
        proxy.wait_rule(rule)
        assert answer.status == 200, answer
        site.wait_status(thread, answer.headers["X-Response-Id"], "complete")
        assert [m["content"] for m in site.messages(thread)] == ["Once", "Hello", answer.text]
    finally:
        proxy.stop()


def test_f21_a_database_with_another_isolation_loses_no_message_to_it(server, new_site):
    name = fresh("serial")
    server.uri(name)
    server.sql(name, f"""ALTER DATABASE "{name}" SET default_transaction_isolation = 'serializable'""")
    site = new_site(server.settings(name))
    thread = make(site)["id"]
    made = in_parallel(24, lambda i: site.post(f"/api/threads/{thread}/messages", {"role": "user", "content": f"text {i}"}).status)
    assert made == [201] * 24
    assert sorted(m["content"] for m in site.messages(thread, "?limit=50")) == sorted(f"text {i}" for i in range(24))


def test_c12_a_number_that_jsonb_has_no_room_for_is_kept_as_it_was_sent(adopted, prisma, server):
    metadata = '{"small":1e-200000,"nothing":0E+99999999999,"one":1e-00000,"text":"e-200000","true":true}'
    made = adopted.request("POST", "/api/threads", f'{{"metadata":{metadata}}}'.encode(), {"Content-Type": "application/json"})
    assert made.status == 201, made
    assert metadata.encode() in adopted.get(f"/api/threads/{made.json()['id']}").body
    theirs = json.loads(server.sql(prisma[0], f"""SELECT metadata FROM "Thread" WHERE id = '{made.json()["id"]}'"""))
    assert theirs == {"small": 0, "nothing": 0, "one": 1, "text": "e-200000", "true": True}


def test_a_turn_that_was_asked_before_takes_nothing_back_twice(adopted, server):
    thread = make(adopted)["id"]
    assert adopted.post(f"/api/threads/{thread}/messages", {"id": "q", "role": "user", "content": "One"}).status == 201
    asked = {"prompt": {"id": "q", "role": "user", "content": "Another"}, "threadId": thread, "responseId": fresh("r")}
    assert adopted.post("/api/chat", asked).json()["code"] == "idempotency_key_reused"
    assert "no transaction in progress" not in (server.folder / "postgresql.log").read_text(errors="replace")


# --- certificates ---
@pytest.fixture
def tls(scratch, own_server):
    """A server with a certificate of an authority of ours, that authority's, and one of another."""
    folder = scratch / fresh("tls")
    folder.mkdir()
    folder.chmod(0o755)
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=DEADLINE_S)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for ca in ("good", "wrong"):
        openssl("req", "-x509", *new_key, "-days", 2, "-subj", f"/CN={ca} authority", "-keyout", folder / f"{ca}.key", "-out", folder / f"{ca}.pem")
    openssl("req", *new_key, "-subj", "/CN=localhost", "-keyout", folder / "server.key", "-out", folder / "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", folder / "server.csr", "-CA", folder / "good.pem", "-CAkey", folder / "good.key", "-CAcreateserial",
            "-days", 2, "-extfile", folder / "names", "-out", folder / "server.pem")
    server = own_server("postgresql")
    server.uri("secure")
    for name in ("server.key", "server.pem"):
        target = server.data / name
        target.write_bytes((folder / name).read_bytes())
        target.chmod(0o600)
        if server.owner:
            shutil.chown(target, server.owner)
    for line in ("ssl = on", f"ssl_cert_file = '{server.data}/server.pem'", f"ssl_key_file = '{server.data}/server.key'"):
        server.sql("secure", "ALTER SYSTEM SET " + line)
    server.stop()
    server.start()
    return server, folder


def test_f23_tls_is_as_the_address_wants_it(tls, scratch, new_site):
    server, folder = tls
    root = f"postgresql://c1d@localhost:{server.port}/secure"
    for query, words in (("sslmode=disable", None), ("sslmode=require", None),
                         (f"sslmode=verify-full&sslrootcert={folder}/good.pem", None),
                         (f"sslmode=verify-full&sslrootcert={folder}/wrong.pem", "certificate verify failed"),
                         ("sslmode=verify-full", "certificate verify failed"),
                         (f"sslmode=verify-ca&sslrootcert={folder}/none.pem", "does not exist")):
        done = c1d(f"{root}?{query}", scratch / fresh(), "check")
        report = done.stdout + done.stderr
        if words:
            assert done.returncode != 0 and words in report, (query, report)
        else:
            assert "taken back" in report, (query, report)
    by_address = root.replace("localhost", "127.0.0.1")
    done = c1d(f"{by_address}?sslmode=verify-full&sslrootcert={folder}/good.pem", scratch / fresh(), "check")
    assert "does not match host name" in done.stdout + done.stderr, done
    # Behind the fence, too, and as the server sees it.
    site = new_site({"C1D_STORE": f"{root}?sslmode=verify-full&sslrootcert={folder}/good.pem"})
    assert site.chat("Hello").status == 200
    seen = server.sql("secure", "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE application_name = 'c1d'")
    assert seen.strip() == "t"


def test_f23_a_socket_of_this_machine_and_a_second_host_serve_as_well(server, new_site):
    name = fresh("socket")
    server.uri(name)
    site = new_site({"C1D_STORE": f"postgresql://c1d@/{name}?host={server.folder}&port={server.port}"})
    assert site.chat("Hello").status == 200
    two = new_site({"C1D_STORE": f"postgresql://c1d@127.0.0.1:1,127.0.0.1:{server.port}/{name}"})
    assert two.chat("Hello").status == 200


def test_f23_the_environment_of_libpq_is_none_of_ours(server, scratch):
    name = fresh("env")
    done = c1d(server.uri(name), scratch / fresh(), "check", PGSSLMODE="verify-full", PGSERVICE="none", PGOPTIONS="-c nonsense=1",
               PGSSLROOTCERT="/none", PGTARGETSESSIONATTRS="standby")
    assert "taken back" in done.stdout + done.stderr, done


@pytest.mark.parametrize("uri, words", [
    ("postgresql://c1d:hunter2@nobody@127.0.0.1/x", "%40"), ("postgresql://c1d:hun/ter2@127.0.0.1/x", "%2F"),
    ("postgresql://c1d:hunter2@127.0.0.1/x?nonsense=1", "'nonsense'"), ("postgresql://c1d:hunter2@127.0.0.1/x?service=s", "'service'"),
    ("postgresql://c1d:hunter2@127.0.0.1/x?sslmode=maybe", "sslmode"), ("postgresql://c1d:hunter2@127.0.0.1:x/x", "port"),
    ("postgresql://c1d:hunter2@127.0.0.1/x?connection_limit=1", "connection_limit"), ("postgresql://c1d:hunter2@a,b/x?port=1,2,3", "ports")])
def test_f23_an_address_that_is_wrong_is_told_without_its_password(scratch, uri, words):
    done = c1d(uri, scratch / fresh(), "check", "-t")
    report = done.stdout + done.stderr
    assert done.returncode == 78 and words in report and "hunter2" not in report and "ter2" not in report, report


def test_f23_a_wrong_password_and_a_database_that_is_not_there_are_told(server, scratch):
    done = c1d("postgresql://c1d:hunter2@{}:{}/nowhere".format(*server.address()), scratch / fresh(), "check")
    report = done.stdout + done.stderr
    assert done.returncode != 0 and 'database "nowhere" does not exist' in report and "hunter2" not in report, report
