/** A button on each block of code that copies it. Without this script the text can still be selected. */
for (const block of document.querySelectorAll('main pre')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  const say = (/** @type {string} */ text) => (button.textContent = text);
  button.addEventListener('click', () => {
    void navigator.clipboard.writeText(block.textContent).then(() => {
      say('Copied');
      setTimeout(say, 2000, 'Copy');
    });
  });
  // Beside the block and not in it, so that it does not scroll away with the code.
  const frame = document.createElement('div');
  frame.className = 'code';
  block.replaceWith(frame);
  frame.append(block, button);
}
