// Before anything is painted: the colours that were chosen, here or in the admin (which keeps its choice in this place).
"use strict";
(() => {
  const KEY = "_x_adminTheme";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return JSON.parse(localStorage.getItem(KEY)) || "auto";
    } catch {
      return "auto";
    }
  };
  const apply = () => {
    const theme = chosen();
    document.documentElement.classList.toggle("dark", theme === "dark" || (theme === "auto" && dark.matches));
    document.dispatchEvent(new CustomEvent("turnlog:theme", { detail: theme }));
  };
  window.turnlogTheme = {
    chosen,
    choose(theme) {
      localStorage.setItem(KEY, JSON.stringify(theme));
      apply();
    },
  };
  dark.addEventListener("change", apply);
  apply();
})();
