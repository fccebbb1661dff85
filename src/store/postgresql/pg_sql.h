/*
 * pg_sql: every statement of the PostgreSQL store, in one table: a connection prepares each with
 * its first use, and a test has EXPLAIN prove that each finds its rows by an index.
 *
 * The order of columns is that of pg_thread_take and pg_message_take. A message's id is c1d_id
 * where another thread has taken the plain one; its content is c1d_bytes where it has a NUL in it.
 * Times are UTC without a zone, as Prisma keeps them. Sizes are told without reading what they are
 * of.
 */
#ifndef PG_SQL_H
#define PG_SQL_H

/* clang-format off */
/* What others wrote has no c1d_metadata, and may be no object. */
#define SQL_METADATA(t) "coalesce(" t ".c1d_metadata, CASE WHEN jsonb_typeof(" t ".metadata) = 'object'" \
	" THEN " t ".metadata::text END)"
#define SQL_ALIVE " AND NOT t.c1d_deleted"
#define SQL_THREAD "SELECT t.id, t.\"userId\", coalesce(t.title, ''), t.\"createdAt\", t.\"updatedAt\", t.c1d_rev," \
	" t.c1d_archived, t.c1d_run, t.c1d_run_message, t.c1d_run_node, " SQL_METADATA("t") " FROM \"Thread\" t"

#define SQL_ID(m) "coalesce(" m ".c1d_id, " m ".id)"
#define SQL_SIZE(m) "coalesce(octet_length(" m ".c1d_bytes), octet_length(" m ".content))"
#define SQL_MESSAGE_COLUMNS "m.\"threadId\", " SQL_ID("m") ", m.c1d_seq, m.role, m.c1d_status, " SQL_SIZE("m") "," \
	" m.c1d_run, m.c1d_parent, m.c1d_key, m.c1d_question, m.c1d_model, m.c1d_finish_reason, m.c1d_input_tokens," \
	" m.c1d_output_tokens, m.c1d_total_tokens, m.c1d_unasked, m.c1d_feedback, " SQL_METADATA("m") "," \
	" m.\"createdAt\", coalesce(m.c1d_updated, m.\"createdAt\")"
/* The content, in one of two columns, where `when` holds. */
#define SQL_CONTENT(when) ", CASE WHEN " when " THEN m.content END, CASE WHEN " when " THEN m.c1d_bytes END"
#define SQL_MESSAGE_OF_THREAD "SELECT t.\"userId\", " SQL_MESSAGE_COLUMNS SQL_CONTENT("true") " FROM \"Thread\" t"
#define SQL_SEQ_OF(id) "(SELECT b.c1d_seq FROM \"Message\" b WHERE b.\"threadId\" = $1 AND " SQL_ID("b") " = " id ")"
#define SQL_SEQ_MAX "9223372036854775807"

/* A page of threads: $2 archived, $3 and $4 the time and id of the last one seen, $5 how many. */
#define SQL_LIST " NOT t.c1d_deleted AND ($2::int < 0 OR t.c1d_archived = ($2::int = 1))" \
	" AND (t.\"updatedAt\", t.id COLLATE \"C\") < ($3::timestamp, $4::text)"
#define SQL_LIST_ORDER " ORDER BY t.\"updatedAt\" DESC, t.id COLLATE \"C\" DESC LIMIT $5::int8"
/* $6 is a pattern of a title, $7 words of a message. */
#define SQL_WORDS "to_tsvector('simple'::regconfig, left(m.content, 131072))" \
	" @@ plainto_tsquery('simple'::regconfig, $7::text)"
#define SQL_FOUND(of) " AND (c1d_fold(t.title) LIKE c1d_fold($6::text) OR t.id IN (SELECT m.\"threadId\"" \
	" FROM \"Message\" m JOIN \"Thread\" u ON u.id = m.\"threadId\" WHERE " of SQL_WORDS "))"

/* A page of a thread: its user, the borders' numbers, and messages up to a budget of bytes: those behind it come
 * without their content. $2 behind, $3 before, $4 how many, $5 bytes. */
#define SQL_PAGE(order) "SELECT p.\"userId\", p.behind, p.before, r.* FROM (SELECT t.\"userId\", " \
	SQL_SEQ_OF("$2::text") " AS behind, " SQL_SEQ_OF("$3::text") " AS before" \
	" FROM \"Thread\" t WHERE t.id = $1 AND NOT t.c1d_deleted) p LEFT JOIN LATERAL" \
	" (SELECT " SQL_MESSAGE_COLUMNS SQL_CONTENT("m.nth = 1 OR m.bytes <= $5::int8") \
	" FROM (SELECT n.*, row_number() OVER w AS nth, sum(" SQL_SIZE("n") ") OVER w AS bytes" \
	" FROM (SELECT * FROM \"Message\" o WHERE o.\"threadId\" = $1" \
	" AND o.c1d_seq > coalesce(p.behind, 0) AND o.c1d_seq < coalesce(p.before, " SQL_SEQ_MAX ")" \
	" ORDER BY o.c1d_seq " order " LIMIT $4::int8) n" \
	" WINDOW w AS (ORDER BY n.c1d_seq " order " ROWS UNBOUNDED PRECEDING)) m ORDER BY m.c1d_seq " order ") r ON true"

/* The values of a message's columns; the plain id where it is free. */
#define SQL_PUT_COLUMNS "INSERT INTO \"Message\" AS m (id, c1d_id, \"threadId\", c1d_seq, role, c1d_status, content," \
	" c1d_bytes, c1d_run, c1d_parent, c1d_key, c1d_question, c1d_model, c1d_finish_reason, c1d_input_tokens," \
	" c1d_output_tokens, c1d_total_tokens, c1d_unasked, c1d_feedback, c1d_metadata, metadata, \"createdAt\"," \
	" c1d_updated) SELECT CASE WHEN x.taken THEN $1::text || '/' || $2::text ELSE $2::text END," \
	" CASE WHEN x.taken THEN $2::text END, $1::text, $3::int8, $4::text, $5::text, $6::text, $7::bytea, $8::text, "
#define SQL_PUT_REST ", $10::text, $11::text, $12::text, $13::text, $14::int8, $15::int8, $16::int8, $17::bool," \
	" $18::text, $19::text, $20::jsonb, $21::timestamp, $22::timestamp" \
	" FROM (SELECT EXISTS (SELECT 1 FROM \"Message\" i WHERE i.id = $2::text) AS taken) x"

#define SQL_STATEMENTS(X) \
	X(BEGIN, "BEGIN ISOLATION LEVEL READ COMMITTED") \
	X(COMMIT, "COMMIT") \
	X(ROLLBACK, "ROLLBACK") \
	X(PING, "UPDATE c1d_schema SET seen = now() WHERE version = (SELECT version FROM c1d_schema" \
	  " FOR UPDATE SKIP LOCKED)") \
	\
	X(THREAD_INSERT, "INSERT INTO \"Thread\" (id, \"userId\", title, \"createdAt\", \"updatedAt\", c1d_rev," \
	  " c1d_archived, c1d_run, c1d_run_message, c1d_run_node, c1d_metadata, metadata)" \
	  " SELECT $1::text, $2::text, $3::text, $4::timestamp, $5::timestamp, $6::int8, $7::bool, $8::text," \
	  " $9::text, $10::text, $11::text, $12::jsonb" \
	  " WHERE NOT EXISTS (SELECT 1 FROM c1d_marks k WHERE k.id = $1::text) ON CONFLICT (id) DO NOTHING") \
	X(THREAD_GET, SQL_THREAD " WHERE t.id = $1" SQL_ALIVE) \
	X(THREAD_LOCK, SQL_THREAD " WHERE t.id = $1" SQL_ALIVE " FOR NO KEY UPDATE") \
	X(THREAD_USER, "SELECT t.\"userId\" FROM \"Thread\" t WHERE t.id = $1" SQL_ALIVE) \
	X(THREADS_OF_USER, SQL_THREAD " WHERE t.\"userId\" = $1::text AND" SQL_LIST SQL_LIST_ORDER) \
	X(THREADS_OF_ALL, SQL_THREAD " WHERE $1::text IS NULL AND" SQL_LIST SQL_LIST_ORDER) \
	X(FOUND_OF_USER, SQL_THREAD " WHERE t.\"userId\" = $1::text AND" SQL_LIST \
	  SQL_FOUND("u.\"userId\" = $1::text AND ") SQL_LIST_ORDER) \
	X(FOUND_OF_ALL, SQL_THREAD " WHERE $1::text IS NULL AND" SQL_LIST SQL_FOUND("") SQL_LIST_ORDER) \
	X(THREAD_UPDATE, "UPDATE \"Thread\" t SET title = coalesce($3::text, title)," \
	  " c1d_metadata = coalesce($4::text, c1d_metadata), metadata = coalesce($5::jsonb, metadata)," \
	  " c1d_archived = CASE WHEN $6::int < 0 THEN c1d_archived ELSE $6::int = 1 END, \"updatedAt\" = $7::timestamp," \
	  " c1d_rev = c1d_rev + 1 WHERE id = $1 AND NOT c1d_deleted AND ($2::text IS NULL OR \"userId\" = $2::text)" \
	  " AND ($8::int8 < 0 OR c1d_rev = $8::int8)") \
	X(THREADS_TAKE, "UPDATE \"Thread\" SET \"userId\" = $2::text, c1d_rev = c1d_rev + 1 WHERE id IN" \
	  " (SELECT id FROM \"Thread\" WHERE \"userId\" = $1::text AND NOT c1d_deleted LIMIT $3::int8 FOR NO KEY UPDATE)") \
	X(THREAD_BUMP, "UPDATE \"Thread\" SET \"updatedAt\" = $3::timestamp, c1d_rev = c1d_rev + 1" \
	  " WHERE id = $1 AND NOT c1d_deleted AND ($2::text IS NULL OR \"userId\" = $2::text)") \
	X(THREAD_DELETE, "UPDATE \"Thread\" SET c1d_deleted = true, \"updatedAt\" = $3::timestamp, c1d_rev = c1d_rev + 1," \
	  " title = NULL, metadata = NULL, c1d_metadata = NULL, c1d_run_stop = (c1d_run IS NOT NULL)" \
	  " WHERE id = $1 AND NOT c1d_deleted AND ($2::text IS NULL OR \"userId\" = $2::text)" \
	  " RETURNING c1d_run, c1d_run_message, c1d_run_node") \
	X(MARK_PUT, "INSERT INTO c1d_marks (id) SELECT id FROM \"Thread\" WHERE id = $1 AND c1d_deleted" \
	  " ON CONFLICT (id) DO UPDATE SET deleted = now()") \
	X(MARK_GET, "SELECT 1 FROM c1d_marks WHERE id = $1") \
	X(MARK_DROP, "DELETE FROM c1d_marks WHERE id = $1") \
	X(MESSAGES_PURGE, "DELETE FROM \"Message\" WHERE id IN (SELECT m.id FROM \"Message\" m JOIN \"Thread\" t" \
	  " ON t.id = m.\"threadId\" WHERE m.\"threadId\" = $1 AND t.id = $1 AND t.c1d_deleted LIMIT $2::int8)") \
	X(THREAD_PURGE, "DELETE FROM \"Thread\" t WHERE t.id = $1 AND t.c1d_deleted AND t.c1d_run IS NULL" \
	  " AND NOT EXISTS (SELECT 1 FROM \"Message\" m WHERE m.\"threadId\" = $1)") \
	X(SWEEP_MESSAGES, "DELETE FROM \"Message\" WHERE id IN (SELECT m.id FROM \"Thread\" t CROSS JOIN LATERAL" \
	  " (SELECT id FROM \"Message\" WHERE \"threadId\" = t.id LIMIT $1::int8) m WHERE t.c1d_deleted LIMIT $1::int8)") \
	X(SWEEP_THREADS, "DELETE FROM \"Thread\" d WHERE d.c1d_deleted AND d.id IN (SELECT t.id FROM \"Thread\" t WHERE t.c1d_deleted" \
	  " AND t.c1d_run IS NULL AND NOT EXISTS (SELECT 1 FROM \"Message\" m WHERE m.\"threadId\" = t.id) LIMIT $1::int8)") \
	X(SWEEP_MARKS, "DELETE FROM c1d_marks WHERE id IN (SELECT k.id FROM c1d_marks k" \
	  " WHERE k.deleted < now() - make_interval(secs => $1::float8 / 1000)" \
	  " AND NOT EXISTS (SELECT 1 FROM \"Thread\" t WHERE t.id = k.id AND t.c1d_deleted) LIMIT $2::int8)") \
	\
	X(CLAIM_SET, "UPDATE \"Thread\" SET c1d_run = $2::text, c1d_run_message = $3::text, c1d_run_node = $4::text," \
	  " c1d_run_stop = NULL, \"updatedAt\" = $5::timestamp, c1d_rev = c1d_rev + 1 WHERE id = $1") \
	X(CLAIM_CLEAR, "UPDATE \"Thread\" SET c1d_run = NULL, c1d_run_message = NULL, c1d_run_node = NULL," \
	  " c1d_run_stop = NULL, c1d_rev = c1d_rev + 1 WHERE id = $1 AND c1d_run = $2::text") \
	X(STOP_SET, "UPDATE \"Thread\" SET c1d_run_stop = true WHERE c1d_run = $1" \
	  " AND ($2::text IS NULL OR \"userId\" = $2::text)") \
	X(CLAIM_USER, "SELECT t.\"userId\" FROM \"Thread\" t WHERE t.c1d_run = $1" SQL_ALIVE) \
	X(STOPS_OF, "SELECT id, c1d_run, c1d_run_message, c1d_run_node FROM \"Thread\"" \
	  " WHERE c1d_run_node = $1 AND c1d_run_stop LIMIT $2::int8") \
	X(CLAIMS_OF_DEAD, "SELECT t.id, t.c1d_run, t.c1d_run_message, t.c1d_run_node FROM c1d_nodes n" \
	  " JOIN \"Thread\" t ON t.c1d_run_node = n.node" \
	  " WHERE n.seen < now() - make_interval(secs => $1::float8 / 1000) LIMIT $2::int8") \
	\
	X(MESSAGE_INSERT, SQL_PUT_COLUMNS "coalesce($9::text, (SELECT " SQL_ID("l") " FROM \"Message\" l" \
	  " WHERE l.\"threadId\" = $1::text ORDER BY l.c1d_seq DESC LIMIT 1))" SQL_PUT_REST \
	  " WHERE EXISTS (SELECT 1 FROM \"Thread\" t WHERE t.id = $1::text AND NOT t.c1d_deleted" \
	  " AND ($23::text IS NULL OR t.\"userId\" = $23::text)) RETURNING c1d_seq, c1d_parent") \
	X(MESSAGE_GET, SQL_MESSAGE_OF_THREAD " LEFT JOIN \"Message\" m ON m.\"threadId\" = $1 AND " \
	  SQL_ID("m") " = $2::text WHERE t.id = $1" SQL_ALIVE) \
	X(MESSAGE_BY_RUN, SQL_MESSAGE_OF_THREAD " JOIN \"Message\" m ON m.\"threadId\" = t.id" \
	  " WHERE m.c1d_run = $1" SQL_ALIVE " LIMIT 1") \
	X(MESSAGE_BY_KEY, SQL_MESSAGE_OF_THREAD " JOIN \"Message\" m ON m.\"threadId\" = t.id" \
	  " WHERE m.c1d_key = $1 AND m.role = 'assistant'" SQL_ALIVE " LIMIT 1") \
	X(MESSAGE_ANSWER, SQL_MESSAGE_OF_THREAD " JOIN \"Message\" m ON m.\"threadId\" = $1" \
	  " WHERE t.id = $1" SQL_ALIVE " AND m.c1d_seq > " SQL_SEQ_OF("$2::text") \
	  " AND m.c1d_parent = $2::text AND m.role = 'assistant' ORDER BY m.c1d_seq LIMIT 1") \
	X(MESSAGES_BACK, SQL_PAGE("DESC")) \
	X(MESSAGES_ON, SQL_PAGE("ASC")) \
	X(HISTORY, "SELECT NULL, " SQL_MESSAGE_COLUMNS SQL_CONTENT("true") " FROM (SELECT n.*, sum(" SQL_SIZE("n") ")" \
	  " OVER (ORDER BY n.c1d_seq DESC ROWS UNBOUNDED PRECEDING) AS bytes FROM (SELECT * FROM \"Message\" o" \
	  " WHERE o.\"threadId\" = $1 AND o.c1d_seq < coalesce(" SQL_SEQ_OF("$2::text") ", $3::int8) AND " \
	  SQL_SIZE("o") " <= $4::int8 AND o.c1d_status <> 'streaming' ORDER BY o.c1d_seq DESC LIMIT $5::int8) n) m" \
	  " WHERE m.bytes <= $4::int8 ORDER BY m.c1d_seq DESC") \
	X(RUNS_OF, "SELECT t.\"userId\", r.* FROM \"Thread\" t LEFT JOIN LATERAL (SELECT " SQL_MESSAGE_COLUMNS \
	  " FROM \"Message\" m WHERE m.\"threadId\" = $1 AND m.c1d_run IS NOT NULL AND m.role = 'assistant'" \
	  " ORDER BY m.c1d_seq DESC LIMIT $2::int8) r ON true WHERE t.id = $1" SQL_ALIVE) \
	X(RUNS_ENDED, "SELECT c1d_run FROM (SELECT c1d_seq, c1d_run, c1d_updated, c1d_status FROM \"Message\"" \
	  " WHERE \"threadId\" = $1 ORDER BY c1d_seq DESC LIMIT $4::int8) newest WHERE c1d_run IS NOT NULL" \
	  " AND c1d_updated >= $2::timestamp AND c1d_status <> 'streaming' ORDER BY c1d_seq DESC LIMIT $3::int8") \
	X(MESSAGE_UPDATE, "UPDATE \"Message\" m SET content = CASE WHEN $4::bool THEN $5::text ELSE content END," \
	  " c1d_bytes = CASE WHEN $4::bool THEN $6::bytea ELSE c1d_bytes END," \
	  " c1d_run = CASE WHEN $4::bool THEN NULL ELSE c1d_run END, c1d_metadata = coalesce($7::text, c1d_metadata)," \
	  " metadata = coalesce($8::jsonb, metadata), c1d_updated = $9::timestamp, c1d_rev = c1d_rev + 1" \
	  " WHERE \"threadId\" = $1 AND " SQL_ID("m") " = $2::text AND c1d_status <> 'streaming'" \
	  " AND EXISTS (SELECT 1 FROM \"Thread\" t WHERE t.id = $1 AND NOT t.c1d_deleted" \
	  " AND ($3::text IS NULL OR t.\"userId\" = $3::text))") \
	X(MESSAGE_TAKE_OVER, "UPDATE \"Message\" m SET c1d_run = $3::text, c1d_key = coalesce($4::text, c1d_key)," \
	  " c1d_status = 'streaming', content = '', c1d_bytes = NULL, c1d_unasked = false, c1d_model = NULL," \
	  " c1d_finish_reason = NULL, c1d_input_tokens = NULL, c1d_output_tokens = NULL, c1d_total_tokens = NULL," \
	  " c1d_updated = $5::timestamp, c1d_rev = c1d_rev + 1 WHERE \"threadId\" = $1 AND " SQL_ID("m") " = $2::text") \
	X(MESSAGE_FINISH, "UPDATE \"Message\" m SET c1d_status = $4::text, content = $5::text, c1d_bytes = $6::bytea," \
	  " c1d_finish_reason = $7::text, c1d_model = $8::text, c1d_input_tokens = $9::int8, c1d_output_tokens = $10::int8," \
	  " c1d_total_tokens = $11::int8, c1d_unasked = $12::bool, c1d_updated = $13::timestamp, c1d_rev = c1d_rev + 1" \
	  " WHERE \"threadId\" = $1 AND " SQL_ID("m") " = $2::text AND c1d_run = $3::text" \
	  " AND (c1d_status = 'streaming' OR (c1d_status = 'interrupted' AND NOT $14::bool))") \
	X(KEY_LOCK, "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 1))") \
	\
	X(NODE_BEAT, "INSERT INTO c1d_nodes (node) VALUES ($1) ON CONFLICT (node) DO UPDATE SET seen = now()" \
	  " RETURNING (extract(epoch FROM seen) * 1000)::int8") \
	X(SWEEP_NODES, "DELETE FROM c1d_nodes WHERE node IN (SELECT n.node FROM c1d_nodes n" \
	  " WHERE n.seen < now() - make_interval(secs => $1::float8 / 1000)" \
	  " AND NOT EXISTS (SELECT 1 FROM \"Thread\" t WHERE t.c1d_run_node = n.node) LIMIT $2::int8)") \
	\
	X(THREAD_SCAN, SQL_THREAD " WHERE NOT t.c1d_deleted AND t.id COLLATE \"C\" > $1::text" \
	  " ORDER BY t.id COLLATE \"C\" LIMIT $2::int8") \
	X(MAY_LAST, "SELECT set_config('statement_timeout', $1::text, true)") \
	X(OWN, "SELECT set_config('c1d.own', '1', true)") \
	X(THREAD_PUT, "INSERT INTO \"Thread\" (id, \"userId\", title, \"createdAt\", \"updatedAt\", c1d_rev, c1d_archived," \
	  " c1d_metadata, metadata) VALUES ($1, $2, $3, $4::timestamp, $5::timestamp, $6::int8, $7::bool, $8::text," \
	  " $9::jsonb) ON CONFLICT (id) DO UPDATE SET \"userId\" = $2, title = $3, \"createdAt\" = $4::timestamp," \
	  " \"updatedAt\" = $5::timestamp, c1d_rev = $6::int8, c1d_archived = $7::bool, c1d_metadata = $8::text," \
	  " metadata = $9::jsonb, c1d_deleted = false") \
	X(NUMBER_FREE, "DELETE FROM \"Message\" m WHERE m.\"threadId\" = $1 AND m.c1d_seq = $2::int8 AND " \
	  SQL_ID("m") " <> $3::text") \
	X(KEY_FREE, "UPDATE \"Message\" m SET c1d_key = NULL, c1d_rev = c1d_rev + 1 WHERE m.c1d_key = $1 AND" \
	  " (m.\"threadId\" <> $2::text OR " SQL_ID("m") " <> $3::text)") \
	X(MESSAGE_PUT, SQL_PUT_COLUMNS "$9::text" SQL_PUT_REST " WHERE true ON CONFLICT (\"threadId\"," \
	  " (coalesce(c1d_id, id))) DO UPDATE SET c1d_seq = excluded.c1d_seq, role = excluded.role," \
	  " c1d_status = excluded.c1d_status, content = excluded.content, c1d_bytes = excluded.c1d_bytes," \
	  " c1d_run = excluded.c1d_run, c1d_parent = excluded.c1d_parent, c1d_key = excluded.c1d_key," \
	  " c1d_question = excluded.c1d_question, c1d_model = excluded.c1d_model," \
	  " c1d_finish_reason = excluded.c1d_finish_reason, c1d_input_tokens = excluded.c1d_input_tokens," \
	  " c1d_output_tokens = excluded.c1d_output_tokens, c1d_total_tokens = excluded.c1d_total_tokens," \
	  " c1d_unasked = excluded.c1d_unasked, c1d_feedback = excluded.c1d_feedback," \
	  " c1d_metadata = excluded.c1d_metadata, metadata = excluded.metadata, \"createdAt\" = excluded.\"createdAt\"," \
	  " c1d_updated = excluded.c1d_updated, c1d_rev = m.c1d_rev + 1") \
	X(MESSAGE_DROP, "DELETE FROM \"Message\" m WHERE m.\"threadId\" = $1 AND " SQL_ID("m") " = $2::text") \
	X(COUNT_THREADS, "SELECT count(*) FROM \"Thread\" t WHERE ($1::text IS NULL OR t.\"userId\" = $1::text)" SQL_ALIVE) \
	X(COUNT_MESSAGES, "SELECT count(*) FROM \"Message\" m JOIN \"Thread\" t ON t.id = m.\"threadId\"" \
	  " WHERE ($1::text IS NULL OR t.\"userId\" = $1::text)" SQL_ALIVE)
/* clang-format on */

enum sql_id {
#define X(name, text) SQL_##name,
	SQL_STATEMENTS(X)
#undef X
		SQL_COUNT
};

extern const char *const pg_sql[SQL_COUNT];

#endif
