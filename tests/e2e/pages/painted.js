// Put before the panel's own scripts: keeps in `window.__painted` when suggestions came to be seen (ms since 1970).
(() => {
  const painted = (window.__painted = []);
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) {
    const root = attach.call(this, options);
    if (this.localName === "suggestion-cards") watch(root);
    return root;
  };
  const watch = (root) => {
    let seen = "";
    const look = () => {
      const cards = root.querySelector("ol");
      if (!cards || cards.innerText === seen) return;
      seen = cards.innerText;
      // the task after the next frame's callbacks: that frame has been painted then
      requestAnimationFrame(() => setTimeout(() => painted.push(Date.now())));
    };
    new MutationObserver(look).observe(root, { childList: true, characterData: true, subtree: true });
  };
})();
