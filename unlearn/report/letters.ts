// Small numbers as letters in the page's data, six bits each. None of them is changed where data are written into a page.

/** By value, 0 to 63. client/ has the same. */
export const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
