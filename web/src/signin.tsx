import { useEffect, useRef, useState, type FormEvent } from "react";
import type { Chats } from "./chats";

/** Where a site wants to know who asks, and knows it by a token. One that knows people by a cookie of its own never shows this. */
export function SignIn({ chats }: { chats: Chats }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [token, setToken] = useState("");
  const [state, setState] = useState<"" | "trying" | "refused">("");
  useEffect(() => dialog.current?.showModal(), []);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setState("trying");
    if (!(await chats.useToken(token))) setState("refused");
  }

  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="sign-in" onClose={() => chats.leaveSignIn()}>
      <form onSubmit={event => void submit(event)}>
        <h2 id="sign-in">Sign in</h2>
        <p>Paste the token that this site gave you: a key, or what its sign-in made. It is kept until this tab is closed.</p>
        <input type="password" aria-label="Token" autoComplete="off" required autoFocus value={token} onChange={event => setToken(event.target.value)} />
        {state === "refused" && <p className="refused" role="alert">This token is not good, or no longer.</p>}
        <div className="choices">
          <button type="button" className="button" onClick={() => dialog.current?.close()}>Cancel</button>
          <button className="button primary" disabled={state === "trying"}>Sign in</button>
        </div>
      </form>
    </dialog>
  );
}
