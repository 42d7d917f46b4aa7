// What a style sheet cannot do: name what scrolls, so that a keyboard reaches it.
(() => {
  const name = (box) =>
    box.querySelector("caption")?.textContent ||
    box.querySelector("img")?.alt.slice(0, 80) ||
    (box.tagName === "PRE" ? "Code" : "Table");

  function mark(box) {
    const wide = box.scrollWidth > box.clientWidth + 1;
    box.classList.toggle("scrolls", wide);
    if (wide) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `${name(box)} (scrolls sideways)`);
    } else if (box.hasAttribute("aria-label")) {
      for (const attribute of ["tabindex", "role", "aria-label"]) box.removeAttribute(attribute);
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const boxes = document.querySelectorAll(".fmnist-table, article .scroll, article pre, div.math");
    const watch = new ResizeObserver((changes) => changes.forEach(({ target }) => mark(target)));
    boxes.forEach((box) => watch.observe(box));
    // A fold that is opened shows boxes whose size was unknown; on paper all folds are open.
    const folds = document.querySelectorAll("article details");
    folds.forEach((fold) => fold.addEventListener("toggle", () => fold.querySelectorAll(".fmnist-table, .scroll, pre").forEach(mark)));
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = [...folds].filter((fold) => !fold.open);
      closed.forEach((fold) => (fold.open = true));
    });
    addEventListener("afterprint", () => closed.forEach((fold) => (fold.open = false)));
  });
})();
