// Without this all texts are shown. An item of a text has the keys that it can be chosen by in data-keys.
(() => {
  const form = document.getElementById("filters");
  const articles = [...document.querySelectorAll("article")];
  const plain = (words) => words.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
  const words = articles.map((article) =>
    plain([...article.querySelectorAll("[data-search]")].map((part) => part.textContent).join(" ")));
  const filter = () => {
    const keys = [...form.querySelectorAll("select")].map((select) => select.value).filter(Boolean);
    const chosen = keys.map((key) => `[data-keys~="${key}"]`).join("") || "*";
    const search = plain(document.getElementById("search").value);
    let shown = 0;
    articles.forEach((article, number) => {
      article.hidden = !words[number].includes(search) || !article.querySelector(chosen);
      shown += !article.hidden;
      for (const item of article.querySelectorAll("[data-keys]")) item.hidden = !item.matches(chosen);
      for (const group of article.querySelectorAll(".items")) {
        group.hidden = !group.querySelector(`ul ${chosen}`);
        group.open = keys.length > 0 && !group.hidden;
      }
    });
    document.getElementById("status").textContent = `${shown} of ${articles.length} texts`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.hidden = false;
  filter();
})();
