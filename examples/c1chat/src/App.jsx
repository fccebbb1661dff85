import { C1Chat } from "@thesysai/genui-sdk";

export default function App() {
  return (
    <div style={{ position: "fixed", inset: 0 }}>
      <C1Chat apiUrl="/api/chat?errors=card&keepalive=15&on_disconnect=grace:20" agentName="c1d" logoUrl="/favicon.svg" />
    </div>
  );
}
