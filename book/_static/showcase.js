/* A filter for the showcase, made from the fields that its entries have. */
document.addEventListener("DOMContentLoaded", () => {
  const list = document.querySelector("div.showcase");
  if (!list) return;
  const papers = [...list.querySelectorAll("div.paper")];
  const fieldOf = (paper) => paper.querySelector(".paper-field").textContent.trim();
  const count = new Map();
  papers.forEach((paper) => count.set(fieldOf(paper), (count.get(fieldOf(paper)) || 0) + 1));

  const bar = document.createElement("div");
  bar.className = "paper-filter";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", "Show papers of one field");
  const said = document.createElement("p");
  said.setAttribute("role", "status");
  const choose = (field) => {
    papers.forEach((paper) => {
      paper.hidden = field !== null && fieldOf(paper) !== field;
    });
    [...bar.children].forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.field === (field ?? "")));
    });
    const shown = papers.filter((paper) => !paper.hidden).length;
    said.textContent = `${shown} of ${papers.length} papers`;
  };
  const add = (label, field) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.dataset.field = field ?? "";
    button.addEventListener("click", () => choose(field));
    bar.append(button);
  };
  add(`all (${papers.length})`, null);
  [...count.keys()].sort().forEach((field) => add(`${field} (${count.get(field)})`, field));
  list.prepend(bar, said);
  choose(null);
});
