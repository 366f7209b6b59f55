// A response parameter may be called "submit" and hide the form's own method.
HTMLFormElement.prototype.submit.call(document.getElementById("response"));
