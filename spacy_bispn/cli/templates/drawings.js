// Without this all texts are shown. What is not chosen is faded; a text without anything that is chosen is hidden.
(() => {
  const [form, label, score, search, status] =
    ["filters", "label", "score", "search", "status"].map((id) => document.getElementById(id));
  const articles = [...document.querySelectorAll("article")];
  const plain = (words) => words.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
  const filter = () => {
    const [option] = label.selectedOptions;
    const kind = option.dataset.kind;
    const least = Number(score.value);
    let shown = 0;
    for (const article of articles) {
      let chosen = 0;
      for (const item of article.querySelectorAll("[data-label]")) {
        const named = !kind || (item.classList.contains(kind) && item.dataset.label === option.value);
        const fits = named && Number(item.dataset.score) >= least;
        item.classList.toggle("faded", !fits);
        chosen += fits;
      }
      article.hidden = ((kind || least > 0) && !chosen) || !plain(article.dataset.search).includes(plain(search.value));
      shown += !article.hidden;
    }
    status.textContent = `${shown} of ${articles.length} texts`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.hidden = false;
  filter();
})();
