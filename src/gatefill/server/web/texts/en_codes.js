/**
 * What the page says for the codes of the server's errors and warnings, see docs/errors.md.
 * {detail} is the server's own sentence.
 */
export default {
  // The mask and what is drawn
  "mask.all_hole": "The mask covers the whole photo: nothing is left to fill from.",
  "mask.cutout": "The mask is cut out of a photo: what is left of it is the hole.",
  "mask.empty": "The mask is empty: the photo came back unchanged.",
  "mask.erased": "The mask is a photo with a part erased: that part is the hole.",
  "mask.grow": "A mask can be grown by 0 pixels or more, not by {grow}.",
  "mask.hidden": "The hole lies where the photo is transparent: what is filled there is not seen.",
  "mask.inverted": "The hole covers {percent} % of the photo. Is the mask the wrong way round? Undo, then invert it (I).",
  "mask.labels": "The mask looks like a map of labels: what is above {threshold} of 255 was taken.",
  "mask.none": "The photo has no transparent part to fill: paint over what should go.",
  "mask.nothing_painted": "Paint over what should go, then fill.",
  "mask.orientation": "The mask fits the photo before EXIF data turn it: turn the mask too.",
  "mask.photo": "The mask looks like a photo: what is bright was taken.",
  "mask.rim": "Something of the object may be left around the hole. If so: undo, widen the mask (G) and fill again.",
  "mask.size": "The {plane} is {width} × {height} and the photo {photo_width} × {photo_height}: make them the same size.",
  "mask.turned": "The photo is turned by its EXIF data. Check that the mask lies where it should.",
  "mask.values": "The values of the mask cannot be read: {detail}",
  "mask.was_turned": "The mask was made for the photo before EXIF data turn it, and was turned with it.",
  "search.no_known_pixels": "The region to copy from lies wholly inside the hole.",
  "method.input_not_taken": "{method} takes no {plane}.",
  "method.without_torch": "The network is not installed, so PatchMatch fills alone.",

  // The page and its server do not agree
  "editor.patch": "An earlier fill does not fit the photo any more. Open the photo again.",
  "editor.place": "What is drawn does not lie inside the photo. Open the photo again.",
  "server.unknown_model": "The server does not offer {model} any more: reload the page.",

  // The service
  "server.bad_request": "The server did not understand the request: {detail}",
  "server.busy": "The server is busy. Try again in a moment.",
  "server.error": "That did not work: {detail}",
  "server.forbidden": "The server does not allow that.",
  "server.foreign_origin": "This page does not belong to the server: open the server's own address.",
  "server.internal_error": "Something went wrong in the server: {detail}",
  "server.method_not_allowed": "The server did not understand the request: {detail}",
  "server.not_found": "The server does not know that address. Is it another version? Reload the page.",
  "server.out_of_memory": "The server has not enough memory for this photo now.",
  "server.stopping": "The server is stopping. Start it again and go on.",
  "server.time_limit": "The fill took too long and was stopped. A smaller hole or another method is faster.",
  "server.token_needed": "The server wants its token again: reload the page.",
  "server.too_large": "The photo is too large for this server: {detail}",
  "server.too_slow": "The photo took too long to arrive. Is the connection slow?",
  "server.unknown_host": "The server is not known under this name: open it by the address it printed.",
  "server.unsupported_media_type": "The server did not understand the request: {detail}",
  "server.unusable_image": "The image cannot be used: {detail}",
  "server.wrong_field": "The server did not understand the request: {detail}",
};
