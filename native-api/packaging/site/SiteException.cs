// What is wrong with a page or with the folder for the site: one sentence for whoever runs this.
using System;

namespace FastBackup.Site;

sealed class SiteException(string message) : Exception(message);
