/** Stands for the tag of react-relay, which the compiler replaces in an app: here the documents are compiled, not run. */
export const graphql = (text: TemplateStringsArray): string => text.join("");
