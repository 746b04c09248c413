// Two libraries over one parser (htmlparser2): sanitize-html can drop tags but lays no text out, and html-to-text lays out tables, lists
// and links but makes nothing safe.
import { convert } from 'html-to-text';
import sanitize from 'sanitize-html';

/** Deeper tags lose themselves and keep their text. */
const MAX_DEPTH = 200;

const BLOCKS = ['p', 'div', 'blockquote', 'pre', 'hr', 'br', 'center', 'address', 'article', 'section', 'header'];
const HEADINGS = ['footer', 'main', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6'];
const LISTS = ['ul', 'ol', 'li', 'dl', 'dt', 'dd'];
const TABLES = ['table', 'caption', 'colgroup', 'col', 'thead', 'tbody', 'tfoot', 'tr', 'td', 'th'];
const WORDS = ['a', 'b', 'i', 'u', 's', 'em', 'strong', 'small', 'big', 'strike', 'del', 'ins', 'sub', 'sup', 'tt'];
const MORE_WORDS = ['code', 'kbd', 'samp', 'var', 'q', 'cite', 'abbr', 'span', 'font', 'mark', 'bdi', 'bdo', 'img'];
const RUBY = ['ruby', 'rb', 'rt', 'rp', 'wbr', 'time'];

/** What stands in them is not text that somebody wrote to be read. */
const UNREAD = ['script', 'style', 'title', 'textarea', 'option', 'xmp', 'noscript', 'iframe', 'noembed', 'noframes'];
const UNREAD_TOO = ['object', 'applet', 'svg', 'math', 'template', 'audio', 'video', 'canvas', 'plaintext'];

const COLOUR = [/^(#[0-9a-f]{3,8}|[a-z]{3,30}|rgba?\([\d\s,.%/]{1,40}\))$/i];
const SIZE = [/^(-?\d{0,5}(\.\d{1,5})?(px|pt|em|rem|ex|%)?|[a-z-]{1,20})$/i];
const SIZES = [/^([\d.]{1,10}(px|pt|em|rem|ex|%)?\s*){1,4}$/i];
const WORD = [/^[a-z0-9-]{1,30}$/i];
/** No brackets in any of them: a style can neither fetch nor compute, and none moves a thing out of its place. */
const STYLES = {
  color: COLOUR,
  'background-color': COLOUR,
  'font-size': SIZE,
  'font-weight': WORD,
  'font-style': WORD,
  'font-family': [/^[\p{L}\d\s,'"-]{1,200}$/u],
  'text-align': WORD,
  'text-decoration': [/^[a-z\s-]{1,60}$/i],
  'vertical-align': SIZE,
  'line-height': SIZE,
  'white-space': WORD,
  direction: WORD,
  padding: SIZES,
  'list-style-type': WORD,
};

type Tag = ReturnType<sanitize.Transformer>;

/** The page behind a link must not reach the one that shows the mail, and a link without a scheme would lead into that one. */
function link(tagName: string, { href = '', ...attribs }: sanitize.Attributes): Tag {
  if (!/^(https?|mailto|tel):/i.test(href.trim())) return { tagName, attribs };
  return { tagName, attribs: { ...attribs, href: href.trim(), target: '_blank', rel: 'noopener noreferrer nofollow' } };
}

/** An address without a scheme would be fetched from wherever the mail is shown. */
function image(tagName: string, { src = '', ...attribs }: sanitize.Attributes): Tag {
  return { tagName, attribs: /^\s*cid:/i.test(src) ? { ...attribs, src: src.trim() } : attribs };
}

const OPTIONS: sanitize.IOptions = {
  allowedTags: [...BLOCKS, ...HEADINGS, ...LISTS, ...TABLES, ...WORDS, ...MORE_WORDS, ...RUBY],
  nonTextTags: [...UNREAD, ...UNREAD_TOO],
  allowedAttributes: {
    '*': ['style', 'dir', 'lang', 'align', 'valign', 'title'],
    a: ['href', 'target', 'rel'],
    img: ['src', 'alt', 'width', 'height'],
    font: ['color', 'size', 'face'],
    td: ['colspan', 'rowspan', 'width', 'bgcolor'],
    th: ['colspan', 'rowspan', 'width', 'bgcolor'],
    table: ['width', 'border', 'cellpadding', 'cellspacing', 'bgcolor'],
    ol: ['start', 'type'],
    blockquote: ['type'],
  },
  allowedStyles: { '*': STYLES },
  allowedSchemes: ['https', 'http', 'mailto', 'tel'],
  // A remote image tells its sender that, when and where the mail was read.
  allowedSchemesByTag: { img: ['cid'] },
  allowProtocolRelative: false,
  nestingLimit: MAX_DEPTH,
  transformTags: { a: link, img: image },
};

/** The HTML without anything that runs, asks for input, or reaches out when it is shown. */
export const safeHtml = (html: string): string => sanitize(html, OPTIONS).trim();

/** What a person reads of HTML that `safeHtml` has made safe. */
export const textOfHtml = (safe: string): string =>
  convert(safe, {
    wordwrap: false,
    selectors: [
      { selector: 'a', options: { hideLinkHrefIfSameAsText: true, linkBrackets: ['(', ')'] } },
      // Its description is what can be read of it.
      { selector: 'img', options: { pathRewrite: () => '' } },
      ...HEADINGS.filter((tag) => /^h\d$/.test(tag)).map((selector) => ({ selector, options: { uppercase: false } })),
      { selector: 'table', options: { uppercaseHeaderCells: false } },
    ],
  }).trim();
