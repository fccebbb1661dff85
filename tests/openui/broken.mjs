// OpenUI's own client with the adapter of docs/how-to/other-clients.md.
//
//     node broken.mjs URL < {"adapter", "questions"}      what was shown of each, and the error that it ended with
import { fetchLLM, openAIAdapter, processStreamedMessage } from "@openuidev/react-headless";

const { adapter, questions } = JSON.parse(await new Response(process.stdin).text());
globalThis.requestAnimationFrame = draw => setTimeout(draw, 0);
globalThis.cancelAnimationFrame = clearTimeout;

const streamAdapter = new Function("openAIAdapter", `${adapter}; return streamAdapter;`)(openAIAdapter);
const llm = fetchLLM({ url: `${process.argv[2]}/api/openui/chat`, streamAdapter });
const saw = [];
for (const content of questions) {
  const seen = { text: "", error: null };
  const show = made => (seen.text = made.content);
  const response = await llm.send({ threadId: crypto.randomUUID(), messages: [{ id: crypto.randomUUID(), role: "user", content }], signal: new AbortController().signal });
  await processStreamedMessage({ response, adapter: llm.streamProtocol, createMessage: show, updateMessage: show }).catch(error => (seen.error = error.message));
  saw.push(seen);
}
// What a worker that died leaves: neither an error nor an end.
let error = null;
try {
  for await (const event of streamAdapter.parse(new Response("data: {}\n\n"))) void event;
} catch (thrown) {
  error = thrown.message;
}
saw.push({ text: "", error });
console.log(JSON.stringify(saw));
