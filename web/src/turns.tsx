/* The questions of a conversation and what was answered, with what can be done about each. */
import { Check, ChevronLeft, ChevronRight, Copy, Pencil, RotateCcw } from "lucide-react";
import { memo, useCallback, useEffect, useRef, useState, type ComponentType } from "react";
import { Problem, unwrap } from "./c1d";
import type { Chats, Conversation, Entry, Running } from "./chats";
import { focusQuestion } from "./focus";
import { Status } from "./status";
import type { Mode } from "./theme";

export interface Action {
  type?: string;
  params?: Record<string, any>;
  humanFriendlyMessage?: string;
  llmFriendlyMessage?: string;
}

export interface AnswerProps {
  content: string;
  streaming: boolean;
  act(action: Action): void;
  keep(content: string): void;
}

export interface TurnsProps {
  chats: Chats;
  conversation: Conversation;
  mode: Mode;
  edit(text: string, replaces: string): void;
}

/** Which versions are looked at, by turn and how many there are; the newest unless told. */
export interface Picks {
  picks: Record<string, number>;
  pick(turn: string, version: number): void;
}

interface Version {
  question?: Entry;
  answer?: Entry;
}

/** Questions with their answers; one that was asked in place of another is a version of it. */
function slotsOf(entries: Entry[]): Version[][] {
  const slots: Version[][] = [];
  for (const entry of entries) {
    const last = slots.at(-1);
    if (entry.role === "assistant" && last && !last.at(-1)!.answer) last.at(-1)!.answer = entry;
    else if (entry.role === "assistant") slots.push([{ answer: entry }]);
    else {
      const versions = entry.replaces ? slots.find(slot => slot.some(({ question }) => question?.id === entry.replaces)) : undefined;
      if (versions) versions.push({ question: entry });
      else slots.push([{ question: entry }]);
    }
  }
  return slots;
}

export function Turns({ chats, conversation, edit, picks, pick, Answer }: TurnsProps & Picks & { Answer?: ComponentType<AnswerProps> }) {
  const slots = slotsOf(conversation.entries);
  return slots.map((versions, i) => (
    <Slot key={versions[0]!.question?.id ?? versions[0]!.answer!.id} chats={chats} thread={conversation.id} versions={versions} running={conversation.running}
      isLast={i === slots.length - 1} edit={edit} picks={picks} pick={pick} Answer={Answer} />
  ));
}

function Slot({ chats, thread, versions, running, isLast, edit, picks, pick, Answer }: Picks & {
  chats: Chats; thread: string; versions: Version[]; running?: Running; isLast: boolean;
  edit(text: string, replaces: string): void; Answer?: ComponentType<AnswerProps>;
}) {
  const turn = `${versions[0]!.question?.id} ${versions.length}`, picked = picks[turn] ?? versions.length - 1;
  const { question, answer } = versions[picked]!;
  const writing = answer !== undefined && running?.entry === answer.id ? running : undefined;
  const body = useRef<HTMLDivElement>(null);
  const mayAsk = isLast && !running && question !== undefined;
  const again = () => {
    if (question) chats.ask(question.content, question.id);
    focusQuestion();
  };
  const act = useCallback((action: Action) => chats.act(action), [chats]);
  const keep = useCallback((content: string) => void chats.keep(thread, answer!.id, content), [chats, thread, answer?.id]);

  return (
    <section className="turn">
      {question && (
        <div className="question">
          <div className="tools">
            {versions.length > 1 && (
              <span className="versions">
                <button className="icon" disabled={picked === 0} onClick={() => pick(turn, picked - 1)} aria-label="Earlier version"><ChevronLeft aria-hidden /></button>
                {picked + 1}/{versions.length}
                <button className="icon" disabled={picked >= versions.length - 1} onClick={() => pick(turn, picked + 1)} aria-label="Later version"><ChevronRight aria-hidden /></button>
              </span>
            )}
            {mayAsk && (
              <button className="icon" aria-label="Edit the question" title="Edit" onClick={() => edit(unwrap(question.content), question.id)}><Pencil aria-hidden /></button>
            )}
          </div>
          <p dir="auto">{unwrap(question.content)}</p>
        </div>
      )}
      {answer && (
        <article className="answer" aria-busy={writing !== undefined} aria-label="Answer">
          <div ref={body}>
            {answer.content && Answer && <Answer content={answer.content} streaming={writing !== undefined} act={act} keep={keep} />}
          </div>
          {(writing || (answer.content && !Answer)) && <p className="dots-typing" role="status" aria-label="The answer is being written"><i /><i /><i /></p>}
          {!writing && <Outcome answer={answer} again={mayAsk ? again : undefined} chats={chats} />}
          {!writing && answer.content && (
            <div className="tools">
              <CopyButton text={() => body.current?.innerText ?? ""} />
              {mayAsk && <button className="icon" aria-label="Try again" title="Try again" onClick={again}><RotateCcw aria-hidden /></button>}
              <Status answer={answer} />
            </div>
          )}
        </article>
      )}
    </section>
  );
}

/** What is said of an answer that is not whole. */
const ENDS: Record<string, [title: string, text: string]> = {
  stopped: ["Stopped", "You stopped this answer. What had come by then is kept."],
  length: ["Cut at its longest", "The answer reached the limit of its length."],
  interrupted: ["Cut off", "The answer broke off in the middle. What had come by then is kept."],
  error: ["No answer", "The model did not answer."],
};

const Outcome = memo(({ answer, again, chats }: { answer: Entry; again?: () => void; chats: Chats }) => {
  const end = ENDS[answer.status];
  if (!end && !answer.problem) return null;
  const { title, detail, advice, status, requestId } = answer.problem ?? new Problem(-1, "", end![0], end![1]);
  const calm = answer.status === "stopped" || answer.status === "length";
  const more = /again/i.test(detail) || calm ? "" : advice; // what to do is said once
  return (
    <div className="notice" data-kind={calm ? "calm" : "bad"} role={calm ? "status" : "alert"}>
      <p><strong>{title}</strong> {detail.replace(title, "").replace(/^\W+(\w)/, (_, letter: string) => letter.toUpperCase())} {more}</p>
      {status === 401 && <button className="button" onClick={() => chats.askToken()}>Sign in</button>}
      {again && !calm && status !== 401 && <button className="button" onClick={again}>Try again</button>}
      {requestId && <small>Request {requestId}</small>}
    </div>
  );
});

function CopyButton({ text }: { text(): string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <button className="icon" aria-label={done ? "Copied" : "Copy the answer"} title="Copy" onClick={() => void copy(text()).then(setDone)}>
      {done ? <Check aria-hidden /> : <Copy aria-hidden />}
    </button>
  );
}

/** Whether it went well. Over plain HTTP browsers have the old way only. */
async function copy(text: string): Promise<boolean> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const area = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
