/* Dark or light: as the system has it, until somebody chooses. */
import { useEffect, useState } from "react";

export type Mode = "light" | "dark";
export interface Theme {
  mode: Mode;
  toggle(): void;
}

const KEY = "c1d-theme";

export function useTheme(): Theme {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const [chosen, setChosen] = useState(localStorage.getItem(KEY) as Mode | null);
  const [dark, setDark] = useState(system.matches);
  const mode = chosen ?? (dark ? "dark" : "light");

  useEffect(() => {
    const onChange = () => setDark(system.matches);
    system.addEventListener("change", onChange);
    return () => system.removeEventListener("change", onChange);
  }, []);
  useEffect(() => {
    document.documentElement.dataset.theme = mode;
  }, [mode]);

  const toggle = () => {
    const other = mode === "dark" ? "light" : "dark";
    localStorage.setItem(KEY, other);
    setChosen(other);
  };
  return { mode, toggle };
}
