// Package portal is the few web pages that an account needs: the issued password is changed there, app passwords are made
// and revoked, and its owner sees from where somebody logged in and puts sessions out.
//
// It owns no table: everything is asked of mailcore, which counts and locks failed logins over all services alike. Pages need
// no JavaScript and load nothing but one style sheet. A form is taken only from our own pages: browsers say where a form
// comes from, the cookie does not travel from elsewhere, and each form bears a token of its session. Nothing of a password is
// ever logged or sent back.
package portal
