/* Answers, as the C1 client draws them. */
import { C1Component, ThemeProvider } from "@thesysai/genui-sdk";
import { memo } from "react";
import { Turns, type AnswerProps, type TurnsProps } from "./turns";

const Answer = memo(({ content, streaming, act, keep }: AnswerProps) => (
  <C1Component c1Response={content} isStreaming={streaming} updateMessage={keep} onAction={act} />
));

/** The client's own second colour is too faint to be read by everybody. */
const THEMES = { light: { secondaryText: "rgba(0, 0, 0, 0.62)" }, dark: { secondaryText: "rgba(255, 255, 255, 0.68)" } };

export default function Drawn({ mode, ...turns }: TurnsProps) {
  return (
    <ThemeProvider mode={mode} theme={THEMES[mode]} darkTheme={THEMES.dark}>
      <Turns mode={mode} {...turns} Answer={Answer} />
    </ThemeProvider>
  );
}
