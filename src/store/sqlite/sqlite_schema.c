/*
 * sqlite_schema: the tables and indexes, as steps from each version to the next. A file says in
 * user_version how far it is; workers that start at once meet in the write lock, and whoever comes
 * second finds nothing left to do. A step is never changed once it was released: what it made lies
 * on disks.
 */
#include "sqlite_room.h"

/* A thread that was deleted stays as a mark (deleted_ms), so that its id is not made anew by a late
 * request. */
static const char version_1[] =
	"CREATE TABLE threads ("
	" id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, title TEXT NOT NULL,"
	" created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
	" seq INTEGER NOT NULL, rev INTEGER NOT NULL, archived INTEGER NOT NULL,"
	" deleted_ms INTEGER,"
	" run_id TEXT, run_message_id TEXT, run_node TEXT, metadata TEXT) STRICT;"
	"CREATE INDEX threads_by_user ON threads (user_id, updated_ms, id)"
	" WHERE deleted_ms IS NULL;"
	"CREATE INDEX threads_by_time ON threads (updated_ms, id) WHERE deleted_ms IS NULL;"
	"CREATE INDEX threads_deleted ON threads (deleted_ms) WHERE deleted_ms IS NOT NULL;"
	"CREATE TABLE messages ("
	" thread_id TEXT NOT NULL REFERENCES threads (id) ON DELETE CASCADE, id TEXT NOT NULL,"
	" seq INTEGER NOT NULL, role TEXT NOT NULL, status TEXT NOT NULL, content TEXT NOT NULL,"
	" run_id TEXT, parent_id TEXT, key TEXT, finish_reason TEXT, usage TEXT, feedback TEXT,"
	" metadata TEXT, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
	" PRIMARY KEY (thread_id, id)) STRICT;"
	"CREATE INDEX messages_by_seq ON messages (thread_id, seq, id);"
	"CREATE INDEX messages_by_run ON messages (run_id) WHERE run_id IS NOT NULL;"
	"CREATE INDEX messages_by_key ON messages (thread_id, key) WHERE key IS NOT NULL;"
	"CREATE INDEX threads_by_node ON threads (run_node) WHERE run_node IS NOT NULL;"
	"CREATE TABLE nodes (node TEXT NOT NULL PRIMARY KEY, seen_ms INTEGER NOT NULL) STRICT;";

/* purge, of a mark: 1 while messages may be left, 0 when none is. Numbers of messages are unique;
 * content moves behind its size, so that a row is read without it; usage becomes numbers. */
static const char version_2[] =
	"ALTER TABLE threads DROP COLUMN seq;"
	"ALTER TABLE threads ADD COLUMN run_stop INTEGER;"
	"ALTER TABLE threads ADD COLUMN purge INTEGER;"
	"UPDATE threads SET purge = 1 WHERE deleted_ms IS NOT NULL;"
	"DROP INDEX threads_deleted;"
	"CREATE INDEX threads_deleted ON threads (purge, deleted_ms) WHERE purge IS NOT NULL;"
	"DROP INDEX threads_by_node;"
	"CREATE INDEX threads_by_node ON threads (run_node, run_stop) WHERE run_node IS NOT NULL;"
	"CREATE INDEX threads_by_run ON threads (run_id) WHERE run_id IS NOT NULL;"
	"CREATE TABLE messages_new ("
	" thread_id TEXT NOT NULL REFERENCES threads (id) ON DELETE CASCADE, id TEXT NOT NULL,"
	" seq INTEGER NOT NULL, role TEXT NOT NULL, status TEXT NOT NULL, size INTEGER NOT NULL,"
	" run_id TEXT, parent_id TEXT, key TEXT, question TEXT, model TEXT, finish_reason TEXT,"
	" input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER,"
	" unasked INTEGER NOT NULL, feedback TEXT, metadata TEXT,"
	" created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, content TEXT NOT NULL,"
	" PRIMARY KEY (thread_id, id)) STRICT;"
	"INSERT INTO messages_new SELECT thread_id, id, seq, role, status,"
	" length(CAST(content AS BLOB)), run_id, parent_id, key, NULL, NULL, finish_reason,"
	" json_extract(usage, '$.input_tokens'), json_extract(usage, '$.output_tokens'),"
	" json_extract(usage, '$.total_tokens'), 0, feedback, metadata, created_ms, updated_ms,"
	" content FROM messages;"
	"DROP TABLE messages;"
	"ALTER TABLE messages_new RENAME TO messages;"
	"CREATE UNIQUE INDEX messages_by_seq ON messages (thread_id, seq);"
	"CREATE INDEX messages_by_run ON messages (run_id) WHERE run_id IS NOT NULL;"
	"CREATE INDEX messages_by_key ON messages (key) WHERE key IS NOT NULL;"
	"CREATE INDEX nodes_by_time ON nodes (seen_ms);";

/*
 * Search: an index of the trigrams of what is said, kept by triggers, so that whoever writes keeps
 * it (what of it is kept at once, version 4 says). A message's place in it is the number of its
 * thread and its own, since only such a number lasts (VACUUM changes rowids). The text of which one
 * page is made is not kept a second time, and neither is where in it a trigram stands: both can be
 * read from the message. Two letters at its end are the beginning of a trigram, too, so something
 * stands behind it.
 *
 * Of a long text the first part is indexed, so that nobody waits for its writer. What a file of an
 * older version has is taken in by the sweep, thread by thread (sqlite_search.c): search_fill says
 * behind which thread, indexed_seq up to which message; NULL: all are in. What is not in must not
 * be taken out.
 */
#define ENTRY(row)                                                                                 \
	"no << 32 | " row ".seq, substr(" row ".content, 1, " SQL_INDEXED ") || char(10, 10)"      \
	" FROM search_threads WHERE thread_id = " row ".thread_id AND " row ".content <> ''"       \
	" AND (indexed_seq IS NULL OR " row ".seq <= indexed_seq)"                                 \
	" AND " row ".seq BETWEEN 0 AND 4294967295;"
#define TAKE_IN  " INSERT INTO search (rowid, text) SELECT " ENTRY("new")
#define TAKE_OUT " INSERT INTO search (search, rowid, text) SELECT 'delete', " ENTRY("old")

static const char version_3[] =
	"CREATE VIRTUAL TABLE search USING fts5"
	" (text, content = '', detail = none, tokenize = 'trigram');"
	"CREATE VIRTUAL TABLE search_words USING fts5vocab (search, 'row');"
	"CREATE TABLE search_threads (no INTEGER PRIMARY KEY,"
	" thread_id TEXT NOT NULL UNIQUE REFERENCES threads (id) ON DELETE CASCADE,"
	" indexed_seq INTEGER) STRICT;"
	"CREATE TABLE search_fill (one INTEGER PRIMARY KEY, after_id TEXT NOT NULL) STRICT;"
	"INSERT INTO search_fill SELECT 1, '' WHERE EXISTS (SELECT 1 FROM threads);"
	"CREATE TRIGGER search_thread AFTER INSERT ON threads BEGIN"
	" INSERT OR IGNORE INTO search_threads (thread_id) VALUES (new.id); END;"
	"CREATE TRIGGER search_added AFTER INSERT ON messages BEGIN" TAKE_IN " END;"
	"CREATE TRIGGER search_removed AFTER DELETE ON messages BEGIN" TAKE_OUT " END;"
	"CREATE TRIGGER search_changed AFTER UPDATE OF content, seq ON messages"
	" WHEN old.content <> new.content OR old.seq <> new.seq BEGIN" TAKE_OUT TAKE_IN " END;";

/*
 * Nobody who asks waits for the index: a message that is said or changed gets a row in
 * search_pending, which is searched besides, and the sweep takes it in, many in one go, which costs
 * a third of what one by one does. So the index has what a thread's row in search_threads says but
 * what is pending; that row is made when the first message comes in. What goes or changes is taken
 * out at once where it was in: only the old text says how.
 */
#define IN_RANGE(row)   " AND " row ".seq BETWEEN 0 AND 4294967295"
#define IS_PENDING(row) "thread_id = " row ".thread_id AND seq = " row ".seq"
#define PUT_OFF                                                                                    \
	" INSERT OR IGNORE INTO search_pending SELECT new.thread_id, new.seq"                      \
	" WHERE new.content <> ''" IN_RANGE("new") ";"
#define TAKE_BACK                                                                                  \
	" INSERT INTO search (search, rowid, text) SELECT 'delete', no << 32 | old.seq,"           \
	" substr(old.content, 1, " SQL_INDEXED ") || char(10, 10) FROM search_threads"             \
	" WHERE thread_id = old.thread_id AND (indexed_seq IS NULL OR old.seq <= "                 \
	"indexed_seq)" IN_RANGE("old") " AND NOT EXISTS (SELECT 1 FROM search_pending "            \
				       "WHERE " IS_PENDING("old") "); DELETE FROM search_pending " \
								  "WHERE " IS_PENDING("old") ";"

static const char version_4[] =
	"CREATE TABLE search_pending (thread_id TEXT NOT NULL, seq INTEGER NOT NULL,"
	" PRIMARY KEY (thread_id, seq)) STRICT, WITHOUT ROWID;"
	"DROP TRIGGER search_thread;"
	"DROP TRIGGER search_added;"
	"DROP TRIGGER search_removed;"
	"DROP TRIGGER search_changed;"
	"CREATE TRIGGER search_added AFTER INSERT ON messages WHEN new.content <> ''"
	" BEGIN" PUT_OFF " END;"
	"CREATE TRIGGER search_said AFTER UPDATE OF content ON messages"
	" WHEN old.content = '' AND new.content <> '' BEGIN" PUT_OFF " END;"
	"CREATE TRIGGER search_changed AFTER UPDATE OF content, seq ON messages"
	" WHEN old.content <> '' AND (old.content <> new.content OR old.seq <> new.seq)"
	" BEGIN" TAKE_BACK PUT_OFF " END;"
	"CREATE TRIGGER search_removed AFTER DELETE ON messages WHEN old.content <> ''"
	" BEGIN" TAKE_BACK " END;";

static const char *const steps[] = { version_1, version_2, version_3, version_4 };
#define VERSION ((int)(sizeof steps / sizeof *steps))

const int sqlite_schema_version = VERSION;

static int exec(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int sqlite_schema_read(sqlite3 *db, int *out)
{
	sqlite3_stmt *query = NULL;
	int code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &query, NULL);

	if (code == SQLITE_OK && (code = sqlite3_step(query)) == SQLITE_ROW) {
		*out = sqlite3_column_int(query, 0);
		code = SQLITE_OK;
	}
	sqlite3_finalize(query);
	return code;
}

static int write_version(sqlite3 *db, int version)
{
	char sql[48];

	sqlite3_snprintf(sizeof sql, sql, "PRAGMA user_version = %d", version);
	return exec(db, sql);
}

/* With the write lock: the steps that the file lacks. */
static int take_steps(sqlite3 *db, int *version)
{
	int code = sqlite_schema_read(db, version);

	while (code == SQLITE_OK && *version < VERSION) {
		code = exec(db, steps[*version]);
		if (code == SQLITE_OK)
			code = write_version(db, ++*version);
	}
	return code;
}

/* A transaction that failed stays open, so that the driver still knows why; closing undoes it. */
int sqlite_schema(sqlite3 *db, int *version)
{
	int code = sqlite_schema_read(db, version);

	if (code != SQLITE_OK || *version >= VERSION)
		return code;
	code = exec(db, "BEGIN IMMEDIATE");
	if (code == SQLITE_OK)
		code = take_steps(db, version);
	return code == SQLITE_OK ? exec(db, "COMMIT") : code;
}
