// Filter, sort and page the tables of the record with DataTables. Without it they are plain tables.
document.addEventListener("DOMContentLoaded", async () => {
  const tables = document.querySelectorAll("table.record");
  if (!tables.length) return;
  const { default: DataTable } = await import("./datatables.mjs");
  tables.forEach((table) => enhance(DataTable, table));
});

function enhance(DataTable, table) {
  const rows = [...table.tBodies[0].rows];
  const { bar, choices } = filters(table, rows);
  const grid = new DataTable(table, {
    autoWidth: false,
    layout: {
      top2: [() => bar, "search"], topStart: "info", topEnd: null,
      bottomStart: "pageLength", bottomEnd: "paging",
    },
    language: {
      search: "Free text", lengthMenu: "_MENU_ rows a page", entries: { _: "rows", 1: "row" },
      zeroRecords: "No row fits. Choose less, or another word.",
    },
    lengthMenu: [25, 50, 100, { label: "all", value: -1 }],
    order: [],
    pageLength: 50,
  });

  // The address of the page says what is chosen, so that a link can lead to chosen rows.
  const asked = new URLSearchParams(location.search);
  choices.forEach((choice) => (choice.value = asked.get(choice.name) ?? ""));
  grid.search(asked.get("q") ?? "");
  choose();
  grid.on("search", () => remember());
  choices.forEach((choice) => choice.addEventListener("change", () => (choose(), remember())));

  function choose() {
    for (const { name, value } of choices) {
      if (value) grid.search.fixed(name, (_, __, i) => grid.row(i).node().dataset[name] === value);
      else grid.search.fixed(name, null);
    }
    grid.draw();
  }

  function remember() {
    const chosen = [...choices.map(({ name, value }) => [name, value]), ["q", grid.search()]];
    const query = new URLSearchParams(chosen.filter(([, value]) => value)).toString();
    history.replaceState(null, "", location.pathname + (query && `?${query}`) + location.hash);
  }

  // Open the row that the address names, also when it is on another page or filtered out.
  function open() {
    const id = decodeURIComponent(location.hash.slice(1));
    const row = id && rows.find((row) => row.id === id || row.querySelector(`[id="${CSS.escape(id)}"]`));
    if (!row) return;
    const place = () => grid.rows({ search: "applied", order: "applied" }).nodes().toArray().indexOf(row);
    if (place() < 0) {
      choices.forEach((choice) => (choice.value = ""));
      grid.search("");
      choose();
    }
    const length = grid.page.len();
    grid.page(length > 0 ? Math.floor(place() / length) : 0).draw("page");
    rows.forEach((other) => other.classList.toggle("marked", other === row));
    row.scrollIntoView({ block: "center" });
    row.querySelector("a.address").focus({ preventScroll: true });
  }
  addCitations(grid, table); // before a row is scrolled to: buttons make rows taller
  window.addEventListener("hashchange", open);
  open();
}

// One list of choices for each data attribute that the table names, with how many rows have it.
function filters(table, rows) {
  const bar = document.createElement("div");
  bar.className = "record-filters";
  const choices = table.dataset.filters.split(" ").filter(Boolean).map((name) => {
    const counts = new Map();
    for (const { dataset: { [name]: value } } of rows) if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
    const choice = document.createElement("select");
    choice.name = name;
    choice.append(new Option("all", ""));
    for (const [value, count] of [...counts].sort()) {
      choice.append(new Option(`${value.replaceAll("_", " ")} (${count})`, value));
    }
    const label = document.createElement("label");
    label.append(name[0].toUpperCase() + name.slice(1), choice);
    bar.append(label);
    return choice;
  });
  return { bar, choices };
}

// A button on each visible row copies it as one line: what it says, the book, and its address.
function addCitations(grid, table) {
  const headers = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const text = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("button, [aria-hidden]").forEach((part) => part.remove());
    return [...copy.childNodes].map((node) => node.textContent.trim()).filter(Boolean).join(" ");
  };
  const show = () => {
    for (const address of table.querySelectorAll("tbody a.address:not(:has(+ button))")) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "cite" });
      button.textContent = "Cite";
      address.after(button);
    }
  };
  grid.on("draw", show);
  show();
  table.addEventListener("click", async ({ target }) => {
    if (!target.matches("button.cite")) return;
    const row = target.closest("tr");
    const cells = [...row.cells].map((cell, i) => cell.matches("th") ? text(cell) : text(cell) && `${headers[i]}: ${text(cell)}`);
    const page = location.href.replace(/[?#].*/, "");
    const line = `${row.id}. ${cells.filter(Boolean).join("; ")}. ${table.dataset.cite} ${page}#${row.id}`;
    await navigator.clipboard.writeText(line);
    target.textContent = "Copied";
    setTimeout(() => (target.textContent = "Cite"), 2000);
  });
}
