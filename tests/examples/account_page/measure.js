// What the browser knows of the page's width, its ground, and what is too small or too pale.
const rgba = (text) => text.match(/[\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgba(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
};
const contrast = (element) => {
  const [a, b] = [rgba(getComputedStyle(element).color), behind(element)].map(light);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
};
const texts = [...document.body.querySelectorAll("*")]
  .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
const controls = [...document.querySelectorAll(".button, select, nav a, .choice label")];
return [
  document.documentElement.scrollWidth,
  getComputedStyle(document.body).backgroundColor,
  controls.filter((e) => e.getBoundingClientRect().height < 44).map((e) => e.innerText),
  texts.filter((e) => contrast(e) < 4.5).map((e) => e.innerText + " " + contrast(e)),
];
