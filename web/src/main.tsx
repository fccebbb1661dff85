import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./page.css";
import { App } from "./app";
import { Chats } from "./chats";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App chats={new Chats()} />
  </StrictMode>,
);
