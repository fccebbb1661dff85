// The same service as c1d's core, as one would write it with Fastify, the openai package and the MongoDB driver: a chat whose
// answer is passed on as it comes and kept when it has ended, and threads with their messages.
import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import Fastify from "fastify";
import { MongoClient } from "mongodb";
import OpenAI from "openai";

const openai = new OpenAI({ baseURL: process.env.THESYS_BASE_URL, apiKey: process.env.THESYS_API_KEY, maxRetries: 0 });
const store = await new MongoClient(process.env.MONGODB_URI).connect();
const threads = store.db("c1d").collection("threads");
const messages = store.db("c1d").collection("messages");
const app = Fastify({ bodyLimit: 1 << 20 });
// A DELETE that says it is JSON and has no body is refused otherwise.
app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
  try {
    done(null, body ? JSON.parse(body) : undefined);
  } catch (error) {
    done(Object.assign(error, { statusCode: 400 }));
  }
});

const threadOut = ({ _id, title, user_id, created_at, updated_at, archived }) => ({ id: _id, title, user_id, created_at, updated_at, archived });
const messageOut = ({ _id, thread_id, role, content, status, created_at, updated_at }) => ({ id: _id, thread_id, role, content, status, created_at, updated_at });
const newMessage = (thread_id, role, content, now, behind) => ({
  _id: randomUUID(), thread_id, seq: now.getTime() + behind, role, content, status: "complete", created_at: now, updated_at: now,
});

async function save(thread, question, answer) {
  const now = new Date();
  await messages.insertMany([newMessage(thread, "user", question, now, 0), newMessage(thread, "assistant", answer, now, 1)]);
  await threads.updateOne(
    { _id: thread },
    { $set: { updated_at: now }, $setOnInsert: { user_id: "bench", title: "A chat", created_at: now, archived: false } },
    { upsert: true },
  );
}

async function* relay(stream, thread, question) {
  let text = "";
  for await (const chunk of stream) {
    const piece = chunk.choices[0]?.delta?.content;
    if (piece) {
      text += piece;
      yield piece;
    }
  }
  await save(thread, question, text);
}

app.get("/api/health", async () => ({ status: "healthy" }));

app.post("/api/chat", async (request, reply) => {
  const { thread_id: thread = randomUUID(), message } = request.body;
  const history = await messages.find({ thread_id: thread }).sort({ seq: -1 }).limit(50).toArray();
  const prompt = history.reverse().map(({ role, content }) => ({ role, content }));
  prompt.push({ role: "user", content: message });
  const stream = await openai.chat.completions.create({ model: "c1/bench", stream: true, messages: prompt });
  reply.type("text/plain; charset=utf-8");
  return reply.send(Readable.from(relay(stream, thread, message)));
});

app.post("/api/threads", async (request, reply) => {
  const now = new Date();
  const thread = { _id: randomUUID(), user_id: "bench", title: request.body.title, created_at: now, updated_at: now, archived: false };
  await threads.insertOne(thread);
  reply.code(201);
  return threadOut(thread);
});

app.get("/api/threads", async ({ query }) => {
  const found = await threads.find({ user_id: query.user_id ?? "bench" }).sort({ updated_at: -1 }).limit(Number(query.limit ?? 50)).toArray();
  return found.map(threadOut);
});

app.get("/api/threads/:id", async ({ params }, reply) => {
  const found = await threads.findOne({ _id: params.id });
  if (!found) return reply.code(404).send({ detail: "there is no such thread" });
  return threadOut(found);
});

app.get("/api/threads/:id/messages", async ({ params, query }, reply) => {
  if (!(await threads.findOne({ _id: params.id }))) return reply.code(404).send({ detail: "there is no such thread" });
  const found = await messages.find({ thread_id: params.id }).sort({ seq: -1 }).limit(Number(query.limit ?? 200)).toArray();
  return found.reverse().map(messageOut);
});

app.delete("/api/threads/:id", async ({ params }, reply) => {
  const { deletedCount } = await threads.deleteOne({ _id: params.id });
  if (deletedCount === 0) return reply.code(404).send({ detail: "there is no such thread" });
  await messages.deleteMany({ thread_id: params.id });
  return { deleted: true, id: params.id };
});

await app.listen({ path: process.env.PEER_SOCKET });
