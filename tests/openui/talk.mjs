// OpenUI's own client, as a page uses it, without a page: its storage, its call of the model, its reader of the answer.
//
//     node talk.mjs URL < {"first", "questions", "wrong"}      what it saw, as JSON
import { fetchLLM, getResponseErrorMessage, openAIAdapter, openAIMessageFormat, processStreamedMessage, restStorage } from "@openuidev/react-headless";

const url = process.argv[2];
const { first, questions, wrong } = JSON.parse(await new Response(process.stdin).text());
globalThis.requestAnimationFrame = draw => setTimeout(draw, 0);
globalThis.cancelAnimationFrame = clearTimeout;

const said = content => ({ id: crypto.randomUUID(), role: "user", content });
const saw = { answers: [], errors: [] };
console.error = (...words) => saw.errors.push(words.map(String).join(" "));

async function ask(llm, threadId, messages) {
  const response = await llm.send({ threadId, messages, signal: new AbortController().signal });
  if (!response.ok) return { status: response.status, error: await getResponseErrorMessage(response) };
  let answer;
  await processStreamedMessage({ response, adapter: llm.streamProtocol, createMessage: made => (answer = made), updateMessage: made => (answer = made) });
  return answer;
}

// Both ways to write messages: as AG-UI has them, and as OpenAI does, without ids.
for (const messageFormat of [undefined, openAIMessageFormat]) {
  const { thread: storage } = restStorage({ baseUrl: `${url}/api/openui`, messageFormat });
  const llm = fetchLLM({ url: `${url}/api/openui/chat`, streamAdapter: openAIAdapter(), messageFormat });
  const thread = await storage.createThread(said(first)), messages = [];
  for (const question of questions) {
    messages.push(said(question));
    const answer = await ask(llm, thread.id, messages);
    messages.push(answer);
    saw.answers.push(answer.content);
  }
  saw.wrong = await ask(llm, thread.id, [...messages, said(wrong)]);
  saw.loaded = await storage.getMessages(thread.id);
  saw.renamed = await storage.updateThread({ ...thread, title: "Another name", isPending: true });
  saw.thread = thread;
  const pages = [];
  for (let cursor; ;) {
    const { threads, nextCursor } = await storage.listThreads(cursor);
    pages.push(threads.map(({ id, title, createdAt }) => ({ id, title, createdAt })));
    if ((cursor = nextCursor) === undefined) break;
  }
  saw.pages = pages;
  await storage.deleteThread(thread.id);
  saw.left = (await storage.listThreads()).threads.map(({ id }) => id);
  saw.gone = await storage.getMessages(thread.id).catch(error => error.message);
}
console.log(JSON.stringify(saw));
