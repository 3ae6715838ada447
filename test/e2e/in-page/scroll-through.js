// Scrolls a list by a screen in each frame. Returns the most rows that were in the document.
(async () => {
  const list = document.querySelector('.list');
  let most = 0;
  while (list.scrollTop + list.clientHeight < list.scrollHeight - 1) {
    list.scrollTop += list.clientHeight;
    await new Promise(requestAnimationFrame);
    most = Math.max(most, list.querySelectorAll('.row').length);
  }
  return most;
})();
