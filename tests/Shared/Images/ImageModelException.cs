// What a model of images has found.
using System;

namespace FastBackup.Tests.Images;

sealed class ImageModelException(string message) : Exception(message);
