import { ArrowDown, ChartColumn, ClipboardList, Lightbulb, Table2 } from "lucide-react";
import { lazy, Suspense, useEffect, useLayoutEffect, useRef, useState } from "react";
import { focusQuestion } from "./focus";
import { Turns, type Picks, type TurnsProps } from "./turns";
import { drawer, warm } from "./warm";

const Drawn = lazy(drawer);
const NEAR_PX = 80; // so near to the end, somebody reads along

export function Conversation(props: TurnsProps) {
  const { chats, conversation } = props;
  const pane = useRef<HTMLDivElement>(null), content = useRef<HTMLDivElement>(null);
  const along = useRef(true);
  const [far, setFar] = useState(false);
  const [picks, setPicks] = useState<Picks["picks"]>({}); // here, since all below comes anew once what draws it is there
  const drawn = { ...props, picks, pick: (turn: string, version: number) => setPicks({ ...picks, [turn]: version }) };
  const toEnd = () => { if (pane.current) pane.current.scrollTop = pane.current.scrollHeight; };

  useEffect(warm, []);
  useLayoutEffect(() => {
    const grown = new ResizeObserver(() => { if (along.current) toEnd(); });
    grown.observe(content.current!);
    grown.observe(pane.current!);
    return () => grown.disconnect();
  }, []);
  useEffect(() => { // what was just asked is looked at
    along.current = true;
    toEnd();
  }, [conversation.entries.length]);

  useEffect(() => { // buttons of the client's charts have no names of their own
    const named = new MutationObserver(() => {
      for (const button of content.current!.querySelectorAll(".openui-chart-horizontal-scroll-button:not([aria-label])")) button.setAttribute("aria-label", "More of the chart");
    });
    named.observe(content.current!, { childList: true, subtree: true });
    return () => named.disconnect();
  }, []);

  function onScroll() {
    const { scrollHeight, scrollTop, clientHeight } = pane.current!;
    along.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    setFar(!along.current);
  }

  return (
    <div className="pane-frame">
      <div className="pane" ref={pane} onScroll={onScroll} tabIndex={0} role="region" aria-label="Conversation">
        <div className="column" ref={content}>
          {conversation.earlier && <button className="more" onClick={() => chats.earlier()}>Show what was said before</button>}
          {conversation.state === "loading" && <div className="skeleton" role="status" aria-label="Loading"><i /><i /><i /></div>}
          {conversation.state === "failed" && conversation.problem && (
            <div className="notice" data-kind="bad" role="alert">
              <p><strong>{conversation.problem.title}</strong> {conversation.problem.detail} {conversation.problem.advice}</p>
              <button className="button" onClick={() => void chats.load(conversation.id)}>Try again</button>
            </div>
          )}
          <Suspense fallback={<Turns {...drawn} />}>
            <Drawn {...drawn} />
          </Suspense>
        </div>
      </div>
      {far && <button className="to-end" onClick={() => { toEnd(); focusQuestion(); }} aria-label="To the newest line"><ArrowDown aria-hidden /></button>}
    </div>
  );
}

const STARTERS = [
  { Icon: Table2, title: "A table", text: "Show me a table of sales by quarter" },
  { Icon: ChartColumn, title: "A chart", text: "Draw a chart of sales by quarter" },
  { Icon: ClipboardList, title: "A form", text: "Give me a contact form" },
  { Icon: Lightbulb, title: "An idea", text: "What can you show me besides text?" },
];

export function Welcome({ ask }: { ask(text: string): void }) {
  return (
    <div className="pane welcome">
      <div className="column">
        <img src="./favicon.svg" alt="" width="56" height="56" />
        <h2>What can I show you?</h2>
        <p>Answers are drawn: as tables, charts and forms that you can use.</p>
        <ul>
          {STARTERS.map(({ Icon, title, text }) => (
            <li key={title}>
              <button onClick={() => ask(text)} onPointerEnter={warm} onFocus={warm}>
                <Icon aria-hidden />
                <strong>{title}</strong>
                <span>{text}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}
