/* Answers, as the C1 client draws them. */
import { C1Component, ThemeProvider } from "@thesysai/genui-sdk";
import { memo } from "react";
import { Turns, type AnswerProps, type Picks, type TurnsProps } from "./turns";

const Answer = memo(({ content, streaming, act, keep }: AnswerProps) => (
  <C1Component c1Response={content} isStreaming={streaming} updateMessage={keep} onAction={act} />
));

/** The client's own second colour is too faint to be read by everybody; charts have the page's colours. */
const THEMES = {
  light: { secondaryText: "rgba(0, 0, 0, 0.62)", defaultChartPalette: ["#312e81", "#0d9488", "#4f46e5", "#a855f7", "#38bdf8", "#f59e0b"] },
  dark: { secondaryText: "rgba(255, 255, 255, 0.68)", defaultChartPalette: ["#c7d2fe", "#2dd4bf", "#818cf8", "#c084fc", "#38bdf8", "#fbbf24"] },
};

export default function Drawn({ mode, ...turns }: TurnsProps & Picks) {
  return (
    <ThemeProvider mode={mode} theme={THEMES[mode]} darkTheme={THEMES.dark}>
      <Turns mode={mode} {...turns} Answer={Answer} />
    </ThemeProvider>
  );
}
