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
 * @property {boolean} takes_search
 * @property {boolean} seeded  Whether another random seed gives another fill.
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
 * @typedef {object} Part  A painted part of the photo as PNG, opaque white where something stands.
 * @property {Blob} file
 * @property {number} left
 * @property {number} top
 *
 * @typedef {object} Drawn  What was painted for a fill.
 * @property {Part} mask
 * @property {Part|null} sketch
 * @property {Part|null} take  Where material may come from; null: from everywhere.
 * @property {Part|null} avoid  Where none may come from.
 * @property {number} feather  Width of the soft edge around the hole.
 *
 * @typedef {object} Result  What a method made of a hole.
 * @property {Patch} patch
 * @property {Attention|null} attention
 * @property {string} model
 * @property {number|null} seed  null for the method's own.
 * @property {number} seconds
 * @property {HTMLCanvasElement=} thumbnail
 *
 * @typedef {object} Fill  A hole that was filled, in one way or several.
 * @property {string} id
 * @property {Drawn} drawn
 * @property {Result[]} results
 * @property {number} chosen  Which of the results the photo shows.
 *
 * @typedef {object} Change  What a step did to a layer, by tiles; see `Layer`.
 * @property {string} layer
 * @property {Map<number, HTMLCanvasElement|"full"|undefined>} before
 * @property {Map<number, HTMLCanvasElement|"full"|undefined>} after
 *
 * @typedef {object} Step  Something that can be undone.
 * @property {Change[]} changes
 * @property {Fill=} fill
 * @property {HTMLCanvasElement=} before  The pixels under a fill.
 * @property {HTMLCanvasElement=} after  Those of its chosen result.
 * @property {number} bytes  Of pixels that it holds in memory.
 */

export {};
