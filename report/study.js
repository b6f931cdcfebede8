// What the study's page does beyond text: a theme that stays, tables that sort, pictures that enlarge. Included in it.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // Storage may be refused, as for a file that is opened from disk in some browsers; the page works without.
  const remembered = (value) => {
    try {
      if (value) localStorage.setItem("theme", value);
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = document.querySelector(".theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const label = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered(root.dataset.theme);
    label();
  });
  dark.addEventListener("change", label);
  label();

  // A cell is sorted by its data-sort: numbers by size (Infinity is one), texts as one reads them, nothing at the end.
  const compare = (first, second, numeric) => {
    if (!first || !second) return first ? -1 : second ? 1 : 0;
    if (numeric) return parseFloat(first) - parseFloat(second) || 0;
    return first.localeCompare(second, "en", { numeric: true });
  };
  const number = (text) => text.replace("inf", "Infinity");
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent.trim();
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("number");
        const now = head.getAttribute("aria-sort");
        const direction = now ? (now === "ascending" ? "descending" : "ascending") : numeric ? "descending" : "ascending";
        const key = (row) => number(row.cells[column].dataset.sort);
        const rows = [...table.tBodies[0].rows];
        rows.sort((first, second) => {
          const order = compare(key(first), key(second), numeric);
          return key(first) && key(second) && direction === "descending" ? -order : order;
        });
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", direction);
        table.tBodies[0].append(...rows);
      });
    });
  }

  const viewer = document.querySelector("dialog");
  const stage = viewer.querySelector(".stage");
  const shown = stage.querySelector("img");
  const pictures = [...document.querySelectorAll(".enlarge")];
  let current = 0;
  const show = (index) => {
    current = (index + pictures.length) % pictures.length;
    const picture = pictures[current].querySelector("img");
    shown.src = picture.src;
    shown.alt = picture.alt;
    viewer.querySelector("p").textContent = pictures[current].dataset.title;
    stage.classList.remove("large");
  };
  pictures.forEach((button, index) => button.addEventListener("click", () => {
    show(index);
    viewer.showModal();
  }));
  shown.addEventListener("click", () => stage.classList.toggle("large"));
  viewer.querySelector(".previous").addEventListener("click", () => show(current - 1));
  viewer.querySelector(".next").addEventListener("click", () => show(current + 1));
  viewer.querySelector(".close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(current - 1);
    if (event.key === "ArrowRight") show(current + 1);
  });
  viewer.addEventListener("close", () => pictures[current].focus());

  // The section that is read is marked in the table of contents.
  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const reading = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  document.querySelectorAll("main > *").forEach((section) => reading.observe(section));

  // A link to something that is folded away opens it, and paper shows everything that is for people.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
  addEventListener("beforeprint", () => document.querySelectorAll("details:not(.machine)").forEach((each) => { each.open = true; }));
})();
