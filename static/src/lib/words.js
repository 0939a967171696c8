/**
 * What scripts say, in the page's language. The page loads the catalogue of its language (static/words/<language>.js, written from
 * locale/) before any module; English needs none: the sentence in the source is the English one.
 *
 * First arguments are literals: they are read out of the source. No sentence is pasted together from parts; what changes in it has a
 * name in braces.
 */

const catalogue = globalThis.bourseWords ?? { words: {}, said: {}, plural: (count) => Number(count !== 1) };

/** The page's language, for Intl: "de". */
export const locale = globalThis.document?.documentElement.lang || "en";

/** For dates: the reader's own variant of the page's language, such as "en-GB" or "de-CH". */
export const regional = globalThis.navigator?.languages?.find((each) => each.split("-")[0] === locale) ?? locale;

/** Between the tag of a context and its text, as gettext has it. */
const SEPARATOR = "\u0004";

function filled(text, values) {
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole)) : text;
}

/** The sentence in the page's language: t("Cancel order {id}", { id }). */
export function t(text, values) {
  return filled(catalogue.words[text] ?? text, values);
}

/** One of many: tn("{count} order", "{count} orders", count). */
export function tn(one, many, count, values) {
  const known = catalogue.words[one];
  const text = Array.isArray(known) ? known[catalogue.plural(count)] : Number(count) === 1 ? one : many;
  return filled(text, { count, ...values });
}

/** A word that means several things: tp("order state", "Open"). */
export function tp(context, text, values) {
  return filled(catalogue.words[`${context}${SEPARATOR}${text}`] ?? text, values);
}

const escaped = (text) => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
let patterns = null;

/** Sentences of the API that hold something: a pattern for each, the longest first. */
function known() {
  patterns ??= Object.entries(catalogue.said)
    .filter(([english]) => english.includes("{"))
    .sort(([one], [other]) => other.length - one.length)
    .map(([english, text]) => [new RegExp(`^${escaped(english).replace(/\{(\w+)\}/g, "(?<$1>.+?)")}$`, "s"), text]);
  return patterns;
}

/** What the API said (an ApiError, or its English sentence) in the page's language; its own words where there are no others. */
export function said(error) {
  const english = error?.message ?? String(error);
  if (catalogue.said[english]) return catalogue.said[english];
  for (const [pattern, text] of known()) {
    const match = pattern.exec(english);
    if (match) return filled(text, Object.fromEntries(Object.entries(match.groups).map(([name, value]) => [name, catalogue.said[value] ?? value])));
  }
  return english;
}
