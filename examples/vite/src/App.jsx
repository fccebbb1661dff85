import { C1Chat, useThreadListManager, useThreadManager } from "@thesysai/genui-sdk";
import { c1d } from "./c1d";

const chat = c1d();

export default function App() {
  const list = useThreadListManager(chat.threadList);
  const thread = chat.attach(useThreadManager(chat.threadOf(list)));
  return (
    <div style={{ position: "fixed", inset: 0 }}>
      <C1Chat threadListManager={list} threadManager={thread} agentName="c1d" logoUrl="/favicon.svg" />
    </div>
  );
}
