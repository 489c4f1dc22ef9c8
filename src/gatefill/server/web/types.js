/**
 * The shapes of data that modules share. Sizes and places are pixels of the photo unless a comment
 * says "screen", which means device pixels of the canvas.
 *
 * @typedef {{x: number, y: number}} Point
 * @typedef {{left: number, top: number, width: number, height: number}} Box
 *
 * @typedef {object} Model  A row of GET /api/v1/methods.
 * @property {string} model  The name to choose it by.
 * @property {string} title
 * @property {string} paper
 * @property {string|null} weights
 * @property {boolean} semantic
 * @property {boolean} non_local
 * @property {boolean} free_form
 * @property {boolean} user_guided
 * @property {boolean} takes_sketch
 * @property {boolean} chosen
 *
 * @typedef {object} Patch  New pixels of a hole, as the server sent them: never decoded to be sent.
 * @property {Blob} file
 * @property {number} left
 * @property {number} top
 *
 * @typedef {object} Attention  Where a fill looked: N positions, K places for each.
 * @property {number} spacing  Between neighboring positions.
 * @property {number} places  K
 * @property {Int32Array} target  N x (row, column)
 * @property {Int32Array} source  N x K x (row, column)
 * @property {Float32Array} weight  N x K
 *
 * @typedef {object} Step  Something that can be undone.
 * @property {"mask"|"fill"} kind
 * @property {() => void} undo
 * @property {() => void} redo
 * @property {Fill=} fill
 *
 * @typedef {object} Fill
 * @property {Patch} patch
 * @property {Box} box
 * @property {Attention|null} attention
 * @property {string} model
 * @property {number} seconds
 * @property {HTMLCanvasElement} thumbnail
 */

export {};
