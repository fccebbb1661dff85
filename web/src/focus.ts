/* Where the keyboard is when what it was on has gone. */

/** It goes to what is there by then: from what has gone, and from whatever else `from` selects. */
export function focusSoon(selector: string, from = ""): void {
  requestAnimationFrame(() => {
    const at = document.activeElement;
    if (!at || at === document.body || (from && at.closest(from))) document.querySelector<HTMLElement>(selector)?.focus();
  });
}

/** To the question, but where that would bring up a keyboard on the screen. */
export function focusQuestion(): void {
  if (matchMedia("(pointer: fine)").matches) focusSoon("#composer", "*");
}
