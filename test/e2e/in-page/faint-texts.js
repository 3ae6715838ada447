// Texts with a contrast below 4.5 (WCAG 2.2, section 1.4.3). A canvas computes the colours, which may be mixed.
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [red, green, blue] = color.map((channel) => {
      const part = channel / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    if (element === null) return rgba(getComputedStyle(document.body).backgroundColor);
    const own = rgba(getComputedStyle(element).backgroundColor);
    const opacity = own[3] / 255;
    if (opacity === 1) return own;
    const below = ground(element.parentElement);
    return own.map((channel, at) => channel * opacity + below[at] * (1 - opacity));
  };
  return [...document.querySelectorAll('main *, .bar *')].flatMap((element) => {
    const own = [...element.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE);
    const text = own.map(({ data }) => data).join('');
    if (text.trim() === '' || element.closest('[disabled], .faint') !== null) return [];
    const [a, b] = [luminance(rgba(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return contrast < 4.5 ? [`${element.className} "${text.slice(0, 30)}": ${contrast.toFixed(2)}`] : [];
  });
})();
