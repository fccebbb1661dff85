import { useEffect, useRef } from "react";

/** A question that has to be answered first. */
export function Ask({ title, text, yes, done }: { title: string; text: string; yes: string; done(yes: boolean): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="asked" onClose={() => done(dialog.current?.returnValue === "yes")}>
      <form method="dialog">
        <h2 id="asked">{title}</h2>
        <p>{text}</p>
        <div className="choices">
          <button value="no" className="button">Cancel</button>
          <button value="yes" className="button danger">{yes}</button>
        </div>
      </form>
    </dialog>
  );
}
