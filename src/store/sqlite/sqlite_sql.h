/*
 * sqlite_sql: every statement of the SQLite store, in one table: each connection keeps them
 * prepared, and a test has EXPLAIN QUERY PLAN prove that each finds its rows by an index.
 *
 * The order of columns is that of sqlite_thread_take and sqlite_message_take. In the messages table
 * content stands last and its size before it: what is skipped for its size is never read.
 */
#ifndef SQLITE_SQL_H
#define SQLITE_SQL_H

#define SQL_THREAD                                                                                 \
	"SELECT id, user_id, title, created_ms, updated_ms, rev, archived, run_id,"                \
	" run_message_id, run_node, metadata FROM threads"
#define SQL_MESSAGE_COLUMNS                                                                        \
	"thread_id, id, seq, role, status, size, run_id, parent_id, key, question, model,"         \
	" finish_reason, input_tokens, output_tokens, total_tokens, unasked, feedback, metadata,"  \
	" created_ms, updated_ms"
#define SQL_MESSAGE "SELECT " SQL_MESSAGE_COLUMNS ", content FROM messages"
#define SQL_LIST                                                                                   \
	" AND (?2 < 0 OR archived = ?2)"                                                           \
	" AND (updated_ms, id) < (?3, ?4) ORDER BY updated_ms DESC, id DESC LIMIT ?5"

#define SQL_MESSAGE_INSERT_ALL                                                                     \
	"INSERT INTO messages (" SQL_MESSAGE_COLUMNS ", content) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"  \
	" ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"

#define SQL_INDEXED "262144" /* letters of a message */

/*
 * ?7, ?8: how it is searched for (sqlite_search.c). A rare one: those that the index finds, looked
 * at. A common one: thread by thread, those that the index finds there; a short one: all there. And
 * those that are not in the index yet.
 */
#define SQL_SAYS_IT "instr(fold(m.content), fold(?3)) > 0"
#define SQL_PENDING                                                                                \
	" FROM search_pending p CROSS JOIN messages m ON m.thread_id = p.thread_id"                \
	" AND m.seq = p.seq"                                                                       \
	" WHERE instr(fold(substr(m.content, 1, " SQL_INDEXED ")), fold(?3)) > 0 AND p.thread_id"
#define SQL_FOUND                                                                                  \
	" AND (?2 < 0 OR archived = ?2) AND (instr(fold(title), fold(?3)) > 0 OR CASE ?8"          \
	" WHEN 1 THEN threads.id IN (SELECT st.thread_id FROM search"                              \
	" CROSS JOIN search_threads st ON st.no = search.rowid >> 32"                              \
	" CROSS JOIN messages m ON m.thread_id = st.thread_id AND m.seq = search.rowid & "         \
	"4294967295"                                                                               \
	" WHERE search MATCH ?7 AND (?1 IS NULL OR EXISTS"                                         \
	" (SELECT 1 FROM threads o WHERE o.id = st.thread_id AND o.user_id = ?1))"                 \
	" AND " SQL_SAYS_IT " UNION ALL SELECT p.thread_id" SQL_PENDING                            \
	" > '' AND (?1 IS NULL OR EXISTS"                                                          \
	" (SELECT 1 FROM threads o WHERE o.id = p.thread_id AND o.user_id = ?1)))"                 \
	" WHEN 2 THEN EXISTS (SELECT 1 FROM search_threads st CROSS JOIN search"                   \
	" ON search.rowid BETWEEN st.no << 32 AND st.no << 32 | 4294967295"                        \
	" CROSS JOIN messages m ON m.thread_id = threads.id AND m.seq = search.rowid & 4294967295" \
	" WHERE st.thread_id = threads.id AND search MATCH ?7 AND " SQL_SAYS_IT ")"                \
	" OR EXISTS (SELECT 1" SQL_PENDING " = threads.id)"                                        \
	" WHEN 3 THEN EXISTS"                                                                      \
	" (SELECT 1 FROM messages m WHERE m.thread_id = threads.id AND " SQL_SAYS_IT ") END)"      \
	" AND (updated_ms, threads.id) < (?4, ?5) ORDER BY updated_ms DESC, threads.id DESC "      \
	"LIMIT ?6"

/* clang-format off */
#define SQL_STATEMENTS(X) \
	X(BEGIN_WRITE, "BEGIN IMMEDIATE") \
	X(BEGIN_READ, "BEGIN") \
	X(SAVEPOINT, "SAVEPOINT mine") \
	X(SAVEPOINT_UNDO, "ROLLBACK TO mine") \
	X(SAVEPOINT_KEEP, "RELEASE mine") \
	X(COMMIT, "COMMIT") \
	\
	X(THREAD_INSERT, "INSERT INTO threads (id, user_id, title, created_ms, updated_ms, rev, archived, run_id," \
	  " run_message_id, run_node, metadata) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)") \
	X(THREAD_GET, SQL_THREAD " WHERE id = ?1 AND deleted_ms IS NULL") \
	X(THREAD_USER, "SELECT user_id FROM threads WHERE id = ?1 AND deleted_ms IS NULL") \
	X(THREADS_OF_USER, SQL_THREAD " WHERE deleted_ms IS NULL AND user_id = ?1" SQL_LIST) \
	X(THREADS_OF_ALL, SQL_THREAD " WHERE deleted_ms IS NULL AND ?1 IS NULL" SQL_LIST) \
	X(THREADS_FOUND_OF_USER, SQL_THREAD " WHERE deleted_ms IS NULL AND user_id = ?1" SQL_FOUND) \
	X(THREADS_FOUND_OF_ALL, SQL_THREAD " WHERE deleted_ms IS NULL AND ?1 IS NULL" SQL_FOUND) \
	X(THREAD_UPDATE, "UPDATE threads SET title = coalesce(?2, title), metadata = coalesce(?3, metadata)," \
	  " archived = CASE WHEN ?4 < 0 THEN archived ELSE ?4 END, updated_ms = ?5, rev = rev + 1 WHERE id = ?1") \
	X(THREADS_TAKE, "UPDATE threads SET user_id = ?2, rev = rev + 1 WHERE rowid IN" \
	  " (SELECT rowid FROM threads WHERE user_id = ?1 AND deleted_ms IS NULL LIMIT ?3)") \
	X(THREAD_BUMP, "UPDATE threads SET updated_ms = ?2, rev = rev + 1 WHERE id = ?1") \
	X(THREAD_MARK, "UPDATE threads SET deleted_ms = ?2, purge = 1, updated_ms = ?2, rev = rev + 1, title = ''," \
	  " metadata = NULL, run_stop = CASE WHEN run_id IS NOT NULL THEN 1 END WHERE id = ?1") \
	X(THREAD_PURGED, "UPDATE threads SET purge = 0 WHERE id = ?1") \
	X(THREAD_MARKED, "SELECT purge FROM threads WHERE id = ?1 AND deleted_ms IS NOT NULL") \
	X(MARKED_FIRST, "SELECT id FROM threads WHERE purge = 1 LIMIT 1") \
	X(MARKS_FORGET, "DELETE FROM threads WHERE rowid IN" \
	  " (SELECT rowid FROM threads WHERE purge = 0 AND deleted_ms < ?1 LIMIT ?2)") \
	\
	X(CLAIM_SET, "UPDATE threads SET run_id = ?2, run_message_id = ?3, run_node = ?4, run_stop = NULL," \
	  " updated_ms = ?5, rev = rev + 1 WHERE id = ?1") \
	X(CLAIM_CLEAR, "UPDATE threads SET run_id = NULL, run_message_id = NULL, run_node = NULL, run_stop = NULL," \
	  " rev = rev + 1 WHERE id = ?1 AND run_id = ?2") \
	X(CLAIM_OF_RUN, SQL_THREAD " WHERE run_id = ?1 AND deleted_ms IS NULL") \
	X(STOP_SET, "UPDATE threads SET run_stop = 1 WHERE run_id = ?1") \
	X(STOPS_OF, "SELECT id, run_id, run_message_id, run_node FROM threads" \
	  " WHERE run_node = ?1 AND run_stop = 1 LIMIT ?2") \
	X(CLAIMS_OF_DEAD, "SELECT t.id, t.run_id, t.run_message_id, t.run_node FROM nodes n" \
	  " CROSS JOIN threads t ON t.run_node = n.node WHERE n.seen_ms < ?1 LIMIT ?2") \
	\
	X(MESSAGE_INSERT, SQL_MESSAGE_INSERT_ALL) \
	X(MESSAGE_LAST, "SELECT seq, id FROM messages WHERE thread_id = ?1 ORDER BY seq DESC LIMIT 1") \
	X(MESSAGE_SEQ, "SELECT seq FROM messages WHERE thread_id = ?1 AND id = ?2") \
	X(MESSAGE_GET, SQL_MESSAGE " WHERE thread_id = ?1 AND id = ?2") \
	X(MESSAGE_BY_RUN, SQL_MESSAGE " WHERE run_id = ?1") \
	X(MESSAGE_BY_KEY, SQL_MESSAGE " WHERE key = ?1 AND role = 'assistant' AND EXISTS" \
	  " (SELECT 1 FROM threads t WHERE t.id = thread_id AND t.deleted_ms IS NULL) LIMIT 1") \
	X(MESSAGE_ANSWERS, SQL_MESSAGE " WHERE thread_id = ?1 AND seq > ?2 AND parent_id = ?3 AND role = 'assistant'" \
	  " ORDER BY seq LIMIT 1") \
	X(MESSAGES_BACK, SQL_MESSAGE " WHERE thread_id = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?4") \
	X(MESSAGES_ON, SQL_MESSAGE " WHERE thread_id = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq LIMIT ?4") \
	X(HISTORY, "SELECT id, seq, role, status, size, content, metadata FROM messages WHERE thread_id = ?1 AND seq < ?2 AND size <= ?3" \
	  " AND status <> 'streaming' ORDER BY seq DESC LIMIT ?4") \
	X(RUNS_OF, "SELECT " SQL_MESSAGE_COLUMNS " FROM messages WHERE thread_id = ?1 AND run_id IS NOT NULL" \
	  " AND role = 'assistant' ORDER BY seq DESC LIMIT ?2") \
	X(RUNS_ENDED, "SELECT run_id FROM (SELECT seq, run_id, status, updated_ms FROM messages WHERE thread_id = ?1" \
	  " ORDER BY seq DESC LIMIT ?4) WHERE run_id IS NOT NULL AND updated_ms >= ?2 AND status <> 'streaming'" \
	  " LIMIT ?3") \
	X(MESSAGE_UPDATE, "UPDATE messages SET content = CASE WHEN ?3 THEN ?4 ELSE content END," \
	  " size = CASE WHEN ?3 THEN ?5 ELSE size END, run_id = CASE WHEN ?3 THEN NULL ELSE run_id END," \
	  " metadata = coalesce(?6, metadata), updated_ms = ?7" \
	  " WHERE thread_id = ?1 AND id = ?2") \
	X(MESSAGE_TAKE_OVER, "UPDATE messages SET run_id = ?3, key = coalesce(?4, key), status = 'streaming'," \
	  " content = '', size = 0, unasked = 0, model = NULL, finish_reason = NULL, input_tokens = NULL," \
	  " output_tokens = NULL, total_tokens = NULL, updated_ms = ?5 WHERE thread_id = ?1 AND id = ?2") \
	X(MESSAGE_FINISH, "UPDATE messages SET status = ?4, content = ?5, size = ?6, finish_reason = ?7, model = ?8," \
	  " input_tokens = ?9, output_tokens = ?10, total_tokens = ?11, unasked = ?12, updated_ms = ?13" \
	  " WHERE thread_id = ?1 AND id = ?2 AND run_id = ?3" \
	  " AND (status = 'streaming' OR (status = 'interrupted' AND NOT ?14))") \
	X(MESSAGES_PURGE, "DELETE FROM messages WHERE rowid IN" \
	  " (SELECT rowid FROM messages WHERE thread_id = ?1 LIMIT ?2)") \
	\
	X(NODE_BEAT, "INSERT INTO nodes (node, seen_ms) VALUES (?1, ?2) ON CONFLICT (node) DO UPDATE SET seen_ms = ?2") \
	X(NODES_FORGET, "DELETE FROM nodes WHERE rowid IN (SELECT n.rowid FROM nodes n WHERE n.seen_ms < ?1 AND NOT EXISTS" \
	  " (SELECT 1 FROM threads t WHERE t.run_node = n.node) LIMIT ?2)") \
	\
	X(THREADS_SCAN, SQL_THREAD " WHERE id > ?1 AND deleted_ms IS NULL ORDER BY id LIMIT ?2") \
	X(THREAD_REPLACE, "INSERT INTO threads (id, user_id, title, created_ms, updated_ms, rev, archived, metadata)" \
	  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET user_id = ?2, title = ?3," \
	  " created_ms = ?4, updated_ms = ?5, rev = ?6, archived = ?7, metadata = ?8, deleted_ms = NULL, purge = NULL") \
	X(MESSAGE_REPLACE, SQL_MESSAGE_INSERT_ALL " ON CONFLICT (thread_id, id) DO UPDATE SET seq = ?3, role = ?4," \
	  " status = ?5, size = ?6, run_id = ?7, parent_id = ?8, key = ?9, question = ?10, model = ?11," \
	  " finish_reason = ?12, input_tokens = ?13, output_tokens = ?14, total_tokens = ?15, unasked = ?16," \
	  " feedback = ?17, metadata = ?18, created_ms = ?19, updated_ms = ?20, content = ?21") \
	X(SEQ_FREE, "DELETE FROM messages WHERE thread_id = ?1 AND seq = ?2 AND id <> ?3") \
	X(KEY_FREE, "UPDATE messages SET key = NULL WHERE key = ?1 AND NOT (thread_id = ?2 AND id = ?3)") \
	X(MESSAGE_DROP, "DELETE FROM messages WHERE thread_id = ?1 AND id = ?2") \
	X(COUNT_OF_USER, "SELECT count(*), coalesce(sum((SELECT count(*) FROM messages m WHERE m.thread_id = t.id)), 0)" \
	  " FROM threads t WHERE deleted_ms IS NULL AND user_id = ?1") \
	X(COUNT_OF_ALL, "SELECT (SELECT count(*) FROM threads WHERE deleted_ms IS NULL)," \
	  " (SELECT count(*) FROM messages) - (SELECT count(*) FROM threads t JOIN messages m ON m.thread_id = t.id" \
	  " WHERE t.purge = 1)") \
	\
	X(SEARCH_COUNT, "SELECT count(*) FROM (SELECT 1 FROM search WHERE search MATCH ?1 LIMIT ?2)") \
	X(SEARCH_WORDS, "SELECT term FROM search_words WHERE term >= fold(?1) AND term < fold(?1) || char(1114111) LIMIT ?2") \
	X(FILL_AFTER, "SELECT after_id FROM search_fill WHERE one = 1") \
	X(FILL_THREAD, "SELECT t.id, CASE WHEN st.no IS NULL THEN -1 ELSE st.indexed_seq END FROM threads t" \
	  " LEFT JOIN search_threads st ON st.thread_id = t.id WHERE t.id > ?1 ORDER BY t.id LIMIT 1") \
	X(FILL_TO, "SELECT max(seq), count(*) FROM (SELECT seq FROM messages WHERE thread_id = ?1 AND seq > ?2" \
	  " ORDER BY seq LIMIT ?3)") \
	X(FILL_MARK, "INSERT INTO search_threads (thread_id, indexed_seq) VALUES (?1, ?2)" \
	  " ON CONFLICT (thread_id) DO UPDATE SET indexed_seq = ?2") \
	X(FILL_TAKE_IN, "INSERT INTO search (rowid, text) SELECT st.no << 32 | m.seq," \
	  " substr(m.content, 1, " SQL_INDEXED ") || char(10, 10) FROM search_threads st CROSS JOIN messages m" \
	  " ON m.thread_id = st.thread_id AND m.seq > ?2 AND m.seq <= ?3 WHERE st.thread_id = ?1 AND m.content <> ''" \
	  " AND +m.seq BETWEEN 0 AND 4294967295") /* +: what is looked through is between ?2 and ?3 */ \
	X(FILL_DONE, "DELETE FROM search_pending WHERE thread_id = ?1 AND seq > ?2 AND seq <= ?3") \
	X(FILL_GO_ON, "UPDATE search_fill SET after_id = ?1 WHERE one = 1") \
	X(FILL_END, "DELETE FROM search_fill WHERE one = 1") \
	X(PENDING_FIRST, "SELECT thread_id, seq FROM search_pending WHERE thread_id > '' ORDER BY thread_id, seq LIMIT 1") \
	X(PENDING_THREAD, "INSERT OR IGNORE INTO search_threads (thread_id) VALUES (?1)")
/* clang-format on */

enum sql_id {
#define X(name, text) SQL_##name,
	SQL_STATEMENTS(X)
#undef X
		SQL_COUNT
};

extern const char *const sqlite_sql[SQL_COUNT];

#endif
