// Controls without a name.
[...document.querySelectorAll('button, a, input, [role=treegrid], [role=tab]')]
  .filter((element) => {
    const label = element.closest('label')?.textContent ?? '';
    return `${element.textContent}${element.getAttribute('aria-label') ?? ''}${label}`.trim() === '';
  })
  .map((element) => element.outerHTML);
